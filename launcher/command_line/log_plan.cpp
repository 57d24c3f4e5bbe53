#include "launcher/command_line/log_plan.hpp"

#include "common/str_cat.hpp"
#include "launcher/command_line/template_string.hpp"

namespace mdl::launcher::command_line {
namespace {

bool is_choice(char c) {
  return c >= '0' && c <= '3';
}

const char* name_of(Stream stream) {
  return stream == Stream::out ? "stdout" : "stderr";
}

}  // namespace

bool StreamChoice::includes(int local_rank, Stream stream) const {
  int streams = for_all;
  if (!by_local_rank.empty()) {
    const auto found = by_local_rank.find(local_rank);
    streams = found == by_local_rank.end() ? kNoStream : found->second;
  }
  return (streams & (stream == Stream::out ? 1 : 2)) != 0;
}

std::optional<StreamChoice> parse_stream_choice(const std::string& original) {
  StreamChoice choice;
  // The $ of torchrun's pattern is also before a line end, which variables of YAML files often have.
  const std::string text = original.ends_with('\n') ? original.substr(0, original.size() - 1) : original;
  if (text.size() == 1 && is_choice(text[0])) {
    choice.for_all = text[0] - '0';
    return choice;
  }
  // As torchrun's, a rank is one digit: 0:3,1:2
  for (std::size_t i = 0; i < text.size(); i += 4) {
    const bool rank = text[i] >= '0' && text[i] <= '9';
    if (!rank || i + 2 >= text.size() || text[i + 1] != ':' || !is_choice(text[i + 2])) { return std::nullopt; }
    if (i + 3 < text.size() && (text[i + 3] != ',' || i + 4 == text.size())) { return std::nullopt; }
    choice.by_local_rank[text[i] - '0'] = text[i + 2] - '0';
  }
  return choice.by_local_rank.empty() ? std::nullopt : std::optional(choice);
}

std::vector<std::string> parse_filters(const std::string& text) {
  std::vector<std::string> words(1);
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != ',') {
      words.back() += text[i];
    } else if (i + 1 < text.size() && text[i + 1] == ',') {
      words.back() += ',';
      ++i;
    } else {
      words.emplace_back();
    }
  }
  return words;
}

StreamRoute route_of(const LogOptions& options, int local_rank, Stream stream) {
  StreamRoute route;
  if (options.log_dir == kNoLogFiles) { return route; }
  const bool tee = options.tee.includes(local_rank, stream);
  const bool hidden = !options.local_ranks_filter.empty() && options.local_ranks_filter.count(local_rank) == 0;
  route.to_file = tee || options.redirects.includes(local_rank, stream);
  route.to_console = !hidden && (tee || !route.to_file);
  route.prefixed = tee;
  route.duplicated = tee && !hidden && !options.duplicate_filters[static_cast<std::size_t>(stream)].empty();
  return route;
}

bool writes_files(const LogOptions& options, int local_world_size) {
  for (int local_rank = 0; local_rank < local_world_size; ++local_rank) {
    for (const Stream stream : {Stream::out, Stream::err}) {
      if (route_of(options, local_rank, stream).to_file) { return true; }
    }
  }
  return false;
}

std::string line_prefix(const LogOptions& options, const std::string& role, int local_rank, int rank,
                        const std::string& host) {
  if (options.line_prefix_template.empty()) { return str_cat("[", role, local_rank, "]:"); }
  return substitute_template(options.line_prefix_template, {{"role_name", role},
                                                            {"local_rank", std::to_string(local_rank)},
                                                            {"rank", std::to_string(rank)},
                                                            {"hostname", host}});
}

std::string log_file_name(Stream stream) {
  return str_cat(name_of(stream), ".log");
}
std::string filtered_file_name(Stream stream) {
  return str_cat("filtered_", name_of(stream), ".log");
}

}  // namespace mdl::launcher::command_line
