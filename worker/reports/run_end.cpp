#include "worker/reports/run_end.hpp"

#include "common/str_cat.hpp"
#include "worker/reports/page/block_curve.hpp"
#include "worker/reports/page/number_text.hpp"
#include "worker/reports/page/run_charts.hpp"

namespace mdl::worker::reports {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kCurveWidth = 60;

/// "Loss" and its text behind it, in columns.
std::string line(const std::string& what, const std::string& text) {
  constexpr std::size_t kColumn = 13;
  return str_cat(what, std::string(kColumn > what.size() ? kColumn - what.size() : 1, ' '), text, "\n");
}

std::string loss_line(const page::Points& points, bool blocks) {
  const std::string curve = page::block_curve(points, kCurveWidth, blocks);
  if (curve.empty()) { return {}; }
  const std::string first = page::short_number(points.front().value), last = page::short_number(points.back().value);
  return line("Loss", blocks ? str_cat(first, " ", curve, " ", last) : curve);
}

std::string next_commands(const RunEnd& end, std::string (*quoted)(const std::string&)) {
  const std::string folder = quoted(end.final_folder.string());
  const fs::path clips = end.clips.value_or("clips.csv"), output = end.final_folder.parent_path();
  const fs::path answers = output / fs::path("answers").replace_extension(clips.extension()),
                 merged = output / "merged";
  std::string text = "Next:\n";
  text += str_cat("  mdl-toolkit inference ", end.clips ? quoted(clips.string()) : clips.string(), " --model-name ",
                  folder, " --output ", quoted(answers.string()), "\n");
  if (end.is_adapter) {
    text += str_cat("  mdl-toolkit merge ", quoted(end.base_model), " ", folder, " --output ", quoted(merged.string()),
                    "\n");
  }
  text += str_cat("  vllm serve ", end.is_adapter ? quoted(merged.string()) : folder, " --trust-remote-code\n");
  return text;
}

}  // namespace

std::string describe_end(const RunEnd& end, bool blocks, std::string (*quoted)(const std::string&)) {
  const page::Points& loss = end.history.points("loss");
  std::string text = "\n" + line(end.is_adapter ? "Adapter" : "Model", end.final_folder.string());
  if (end.checkpoint) { text += line(end.checkpoint_is_best ? "Best" : "Checkpoint", end.checkpoint->string()); }
  if (end.page) { text += line("Report", end.page->string()); }
  if (end.history.sidecar.seconds() > 0) {
    const std::size_t begins = end.history.sidecar.begins.size();
    text += line("Time", str_cat(page::duration_text(end.history.sidecar.seconds()),
                                 begins > 1 ? str_cat(" in ", begins, " starts") : std::string()));
  }
  if (const auto best = end.history.best()) {
    text += line("Evaluation", str_cat("best ", best->metric, " ", page::short_number(best->point.value), " at step ",
                                       page::grouped(best->point.step)));
  }
  return text + loss_line(loss, blocks) + next_commands(end, quoted);
}

}  // namespace mdl::worker::reports
