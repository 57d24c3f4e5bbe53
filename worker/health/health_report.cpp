#include "worker/health/health_report.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "common/log.hpp"
#include "common/str_cat.hpp"

namespace mdl::worker::health {
namespace {

constexpr int kHealthLineVersion = 1;
constexpr std::size_t kLongestText = 300;  // bytes of a name or a reason
constexpr int kNameColumn = 26;

std::string first_line(const std::string& text) {
  return text.substr(0, std::min(text.find('\n'), kLongestText));
}

/// "52.3 G" of 5.23e10: three digits and the prefix of powers of 1000.
std::string with_prefix(std::int64_t value) {
  constexpr std::array kPrefixes{"", "k", "M", "G", "T", "P"};
  auto rest = static_cast<double>(value);
  std::size_t prefix = 0;
  for (; rest >= 999.5 && prefix + 1 < kPrefixes.size(); rest /= 1000) { ++prefix; }
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.3g %s", rest, kPrefixes.at(prefix));
  return text.data();
}

std::string microseconds(std::int64_t nanoseconds) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.3g µs", static_cast<double>(nanoseconds) / 1000);
  return text.data();
}

std::string reduce_text(const HealthPart& part) {
  return str_cat(with_prefix(part.number("bytes_per_s")), "B/s of bus bandwidth, ",
                 microseconds(part.number("latency_ns")), " for a few bytes (", part.number("ranks"), " ranks)");
}

std::string part_text(const HealthPart& part) {
  if (!part.not_measured.empty()) { return "not measured: " + first_line(part.not_measured); }
  const auto with = [&](const char* key) { return with_prefix(part.number(key)); };
  if (part.name == "matrix_product") { return with("flop_per_s") + "FLOP/s"; }
  if (part.name == "memory_copy") { return with("bytes_per_s") + "B/s"; }
  if (part.name == "all_reduce_node" || part.name == "all_reduce") { return reduce_text(part); }
  if (part.name == "memory") { return str_cat(with("free_bytes"), "B of ", with("total_bytes"), "B"); }
  if (part.name == "disk") { return str_cat(with("write_bytes_per_s"), "B/s written, ", with("free_bytes"), "B free"); }
  if (part.name == "gpu_errors") {
    return str_cat(part.number("ecc_uncorrected"), " uncorrected and ", part.number("ecc_corrected"),
                   " corrected ECC errors, ", part.number("xid_errors"), " Xid errors",
                   part.number("pending_rows") > 0 ? ", memory to be replaced at the next reset" : "");
  }
  return {};
}

std::string title_of(const HealthPart& part) {
  if (part.name == "all_reduce_node") { return "all-reduce in the node"; }
  if (part.name == "all_reduce") { return "all-reduce of all ranks"; }
  if (part.name == "memory") { return "free memory"; }
  std::string title = part.name;
  std::replace(title.begin(), title.end(), '_', ' ');
  return title;
}

}  // namespace

std::int64_t HealthPart::number(const std::string& key) const {
  const auto found = std::find_if(numbers.begin(), numbers.end(), [&](const auto& each) { return each.first == key; });
  return found == numbers.end() ? 0 : found->second;
}

bool HealthReport::complete() const {
  return std::all_of(parts.begin(), parts.end(), [](const HealthPart& part) { return part.not_measured.empty(); });
}

std::string health_line(const HealthReport& report) {
  nlohmann::ordered_json line{{"mdl_toolkit_health", kHealthLineVersion},
                              {"host", report.host.substr(0, kLongestText)},
                              {"rank", report.rank},
                              {"local_rank", report.local_rank},
                              {"world_size", report.world_size},
                              {"device", report.on_gpu ? "cuda" : "cpu"},
                              {"name", report.name.substr(0, kLongestText)},
                              {"type", report.type},
                              {"threads", report.threads},
                              {"milliseconds", report.milliseconds}};
  for (const HealthPart& part : report.parts) {
    nlohmann::ordered_json& object = line[part.name] = nlohmann::ordered_json::object();
    for (const auto& [key, value] : part.numbers) { object[key] = value; }
    if (!part.not_measured.empty()) { object["not_measured"] = first_line(part.not_measured); }
  }
  return line.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

std::string health_text(const HealthReport& report) {
  const std::string device = report.on_gpu ? str_cat("GPU ", report.local_rank) : "CPU";
  const std::string rank = report.world_size > 1 ? str_cat(", rank ", report.rank) : "";
  const std::string threads =
      report.on_gpu ? "" : str_cat(", ", report.threads, report.threads == 1 ? " thread" : " threads");
  std::string text = str_cat(report.host, rank, ": ", device, report.name.empty() ? "" : " (" + report.name + ")", ", ",
                             report.type, threads, "\n");
  for (const HealthPart& part : report.parts) {
    std::string title = title_of(part);
    title.resize(std::max<std::size_t>(title.size() + 1, kNameColumn), ' ');
    text += str_cat("  ", title, part_text(part), part.name == "disk" ? str_cat(" (", report.output, ")") : "", "\n");
  }
  return log::escaped(text);
}

std::int64_t bus_bandwidth(std::int64_t bytes, int ranks, double seconds) {
  if (ranks < 2 || seconds <= 0) { return 0; }
  const double share = 2.0 * (ranks - 1) / ranks;
  return std::llround(share * static_cast<double>(bytes) / seconds);
}

}  // namespace mdl::worker::health
