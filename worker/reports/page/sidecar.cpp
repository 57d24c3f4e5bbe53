#include "worker/reports/page/sidecar.hpp"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "common/error.hpp"
#include "common/json_nesting.hpp"
#include "common/str_cat.hpp"
#include "worker/formats/json_file.hpp"

namespace mdl::worker::reports::page {
namespace {

using nlohmann::json;

constexpr double kGib = 1 << 30;
constexpr RunBegin::Kind kKinds[] = {RunBegin::Kind::started, RunBegin::Kind::resumed, RunBegin::Kind::restarted};
constexpr std::size_t kMostBegins = 4096;

StepRecord joined_records(const StepRecord& a, const StepRecord& b) {
  return {.step = b.step,
          .samples = a.samples + b.samples,
          .seconds = a.seconds + b.seconds,
          .process_bytes = std::max(a.process_bytes, b.process_bytes),
          .gpu_bytes = std::max(a.gpu_bytes, b.gpu_bytes)};
}

RunBegin::Kind kind_of(const std::string& name) {
  for (const RunBegin::Kind kind : kKinds) {
    if (name == name_of(kind)) { return kind; }
  }
  throw UsageError(str_cat("no beginning is called ", name));
}

void require(bool condition, const char* what) {
  if (!condition) { throw UsageError(what); }
}

bool is_amount(double value) {
  return std::isfinite(value) && value >= 0;
}

RunBegin begin_from(const json& object) {
  const RunBegin begin{.kind = kind_of(object.at("kind").get<std::string>()),
                       .step = object.at("step").get<std::int64_t>(),
                       .ranks = object.at("ranks").get<std::int64_t>(),
                       .time = object.at("time").get<std::int64_t>(),
                       .seconds = object.at("seconds").get<double>()};
  require(begin.step >= 0 && begin.ranks > 0 && is_amount(begin.seconds), "a beginning with a negative number");
  return begin;
}

StepRecord record_from(const json& row) {
  const StepRecord record{.step = row.at(0).get<std::int64_t>(),
                          .samples = row.at(1).get<double>(),
                          .seconds = row.at(2).get<double>(),
                          .process_bytes = row.at(3).get<std::int64_t>(),
                          .gpu_bytes = row.at(4).get<std::int64_t>()};
  require(record.step >= 0 && is_amount(record.samples) && is_amount(record.seconds) && record.process_bytes >= 0 &&
              record.gpu_bytes >= 0,
          "a record with a negative number");
  return record;
}

}  // namespace

std::string_view name_of(RunBegin::Kind kind) {
  return kind == RunBegin::Kind::started ? "started" : kind == RunBegin::Kind::resumed ? "resumed" : "restarted";
}

void Sidecar::add(const StepRecord& record) {
  records.push_back(record);
  if (records.size() <= kMostRecords) { return; }
  std::vector<StepRecord> half;
  for (std::size_t i = 0; i + 1 < records.size(); i += 2) {
    half.push_back(joined_records(records[i], records[i + 1]));
  }
  if (records.size() % 2 == 1) { half.push_back(records.back()); }
  records = std::move(half);
}

void Sidecar::cut_back(std::int64_t step) {
  std::erase_if(records, [&](const StepRecord& record) { return record.step > step; });
  std::erase_if(begins, [&](const RunBegin& begin) { return begin.step > step; });
}

Points Sidecar::samples_per_second() const {
  Points points;
  for (const StepRecord& record : records) {
    if (record.seconds > 0) { points.push_back({record.step, record.samples / record.seconds}); }
  }
  return points;
}

Points Sidecar::process_memory() const {
  Points points;
  for (const StepRecord& record : records) {
    points.push_back({record.step, static_cast<double>(record.process_bytes) / kGib});
  }
  return points;
}

Points Sidecar::gpu_memory() const {
  Points points;
  for (const StepRecord& record : records) {
    if (record.gpu_bytes > 0) { points.push_back({record.step, static_cast<double>(record.gpu_bytes) / kGib}); }
  }
  return points;
}

double Sidecar::seconds() const {
  double sum = 0;
  for (const RunBegin& begin : begins) { sum += begin.seconds; }
  return sum;
}

std::string Sidecar::to_json() const {
  json told = json::array(), rows = json::array();
  for (const RunBegin& begin : begins) {
    told.push_back({{"kind", name_of(begin.kind)},
                    {"step", begin.step},
                    {"ranks", begin.ranks},
                    {"time", begin.time},
                    {"seconds", begin.seconds}});
  }
  for (const StepRecord& record : records) {
    rows.push_back({record.step, record.samples, record.seconds, record.process_bytes, record.gpu_bytes});
  }
  const json all = {{"begins", std::move(told)},
                    {"columns", {"step", "samples", "seconds", "process_bytes", "gpu_bytes"}},
                    {"records", std::move(rows)}};
  return all.dump() + "\n";
}

Sidecar parse_sidecar(const std::string& text, const std::filesystem::path& file) {
  try {
    require(json_nesting(text) <= kMaxJsonNesting, "it is nested too deep");
    const json all = formats::parse_json(text, file);
    Sidecar sidecar;
    require(all.at("begins").size() <= kMostBegins && all.at("records").size() <= Sidecar::kMostRecords,
            "it has more entries than this program writes");
    for (const json& begin : all.at("begins")) { sidecar.begins.push_back(begin_from(begin)); }
    for (const json& row : all.at("records")) {
      const StepRecord record = record_from(row);
      require(sidecar.records.empty() || sidecar.records.back().step < record.step, "its steps do not rise");
      sidecar.records.push_back(record);
    }
    return sidecar;
  } catch (const json::exception& error) {
    throw UsageError(str_cat(file.string(), " makes no sense: ", error.what()));
  } catch (const UsageError& error) { throw UsageError(str_cat(file.string(), " makes no sense: ", error.problem())); }
}

}  // namespace mdl::worker::reports::page
