#include "launcher/doctor_deep/rank_health.hpp"

#include <algorithm>
#include <array>

#include "common/json_nesting.hpp"
#include "common/str_cat.hpp"
#include "launcher/output/printable.hpp"

namespace mdl::launcher::doctor_deep {
namespace {

using nlohmann::json;

constexpr const char* kVersionKey = "mdl_toolkit_health";
constexpr int kHealthVersion = 1;
constexpr std::int64_t kLargestHealthNumber = std::int64_t{1} << 53;  // what JSON's readers keep exact
constexpr std::size_t kLongestReason = 300;
constexpr std::size_t kLongestName = 100;
constexpr std::int64_t kMostRanks = std::int64_t{1} << 20;

/// Where a number stands in the line: part and key.
struct HealthField {
  const char* part;
  const char* key;
  Measured RankHealth::* field;
};
constexpr std::array kHealthFields{
    HealthField{"matrix_product", "flop_per_s", &RankHealth::matrix_product},
    HealthField{"memory_copy", "bytes_per_s", &RankHealth::memory_copy},
    HealthField{"all_reduce_node", "bytes_per_s", &RankHealth::node_all_reduce},
    HealthField{"all_reduce_node", "latency_ns", &RankHealth::node_latency},
    HealthField{"all_reduce", "bytes_per_s", &RankHealth::all_reduce},
    HealthField{"all_reduce", "latency_ns", &RankHealth::latency},
    HealthField{"memory", "free_bytes", &RankHealth::free_memory},
    HealthField{"disk", "write_bytes_per_s", &RankHealth::disk_write},
    HealthField{"disk", "free_bytes", &RankHealth::free_disk},
    HealthField{"gpu_errors", "ecc_uncorrected", &RankHealth::uncorrected_errors},
    HealthField{"gpu_errors", "ecc_corrected", &RankHealth::corrected_errors},
    HealthField{"gpu_errors", "pending_rows", &RankHealth::pending_rows},
    HealthField{"gpu_errors", "xid_errors", &RankHealth::xid_errors},
    HealthField{"gpu_errors", "last_xid", &RankHealth::last_xid},
};

std::optional<std::int64_t> whole_number(const json& object, const char* key, std::int64_t most) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_number_integer()) { return std::nullopt; }
  if (found->is_number_unsigned() && found->get<std::uint64_t>() > static_cast<std::uint64_t>(most)) {
    return std::nullopt;
  }
  const auto number = found->get<std::int64_t>();
  return number < 0 ? std::nullopt : std::optional(number);
}

std::string short_text(const json& object, const char* key, std::size_t most) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_string()) { return {}; }
  return output::printable(found->get_ref<const std::string&>(), most);
}

Measured read_measured(const json& line, const HealthField& at) {
  Measured measured;
  const auto part = line.find(at.part);
  if (part == line.end() || !part->is_object()) { return measured; }
  measured.value = whole_number(*part, at.key, kLargestHealthNumber);
  if (!measured.value) { measured.not_measured = short_text(*part, "not_measured", kLongestReason); }
  return measured;
}

Expected<RankHealth, std::string> read_health(const json& line) {
  if (!line.is_object() || !line.contains(kVersionKey)) {
    return Unexpected{std::string("it is no line of mdl-toolkit health")};
  }
  if (line.at(kVersionKey) != kHealthVersion) {
    return Unexpected{std::string("it is of another version of mdl-toolkit")};
  }
  const auto rank = whole_number(line, "rank", kMostRanks);
  const auto local_rank = whole_number(line, "local_rank", kMostRanks);
  if (!rank || !local_rank) { return Unexpected{std::string("it does not say whose it is")}; }
  RankHealth health;
  health.rank = static_cast<int>(*rank);
  health.local_rank = static_cast<int>(*local_rank);
  health.on_gpu = short_text(line, "device", kLongestName) == "cuda";
  health.name = short_text(line, "name", kLongestName);
  health.type = short_text(line, "type", kLongestName);
  for (const HealthField& each : kHealthFields) { health.*each.field = read_measured(line, each); }
  return health;
}

}  // namespace

Expected<RankHealth, std::string> parse_health_line(std::string_view text) {
  if (text.size() > kLongestHealthLine) {
    return Unexpected{str_cat("it has more than ", kLongestHealthLine / 1024, " KiB")};
  }
  if (json_nesting(text) > kMaxJsonNesting) { return Unexpected{std::string("it nests too deeply")}; }
  const json line = json::parse(text, nullptr, false);
  if (line.is_discarded()) { return Unexpected{std::string("it is no JSON")}; }
  return read_health(line);
}

void to_json(json& json, const RankHealth& health) {
  json = {{kVersionKey, kHealthVersion},
          {"rank", health.rank},
          {"local_rank", health.local_rank},
          {"device", health.on_gpu ? "cuda" : "cpu"},
          {"name", health.name},
          {"type", health.type}};
  for (const HealthField& each : kHealthFields) {
    const Measured& measured = health.*each.field;
    if (measured.value) { json[each.part][each.key] = *measured.value; }
    if (!measured.not_measured.empty()) { json[each.part]["not_measured"] = measured.not_measured; }
  }
}

void from_json(const json& json, RankHealth& health) {
  auto read = read_health(json);
  if (!read) { static_cast<void>(nlohmann::json().at(read.error())); }  // throws: null has no members
  health = std::move(*read);
}

}  // namespace mdl::launcher::doctor_deep
