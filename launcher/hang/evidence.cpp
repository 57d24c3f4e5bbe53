#include "launcher/hang/evidence.hpp"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <string_view>

#include "launcher/output/printable.hpp"

namespace mdl::launcher::hang {
namespace {
using nlohmann::json;

constexpr int kEvidenceVersion = 1;
constexpr std::size_t kLargestEvidence = 8 * 1024 * 1024;
constexpr std::size_t kMostEvidenceRanks = 4096;
constexpr std::size_t kLongestEvidenceHost = 256;
constexpr std::size_t kLongestEvidenceWord = 64;
constexpr std::int64_t kLargestEvidenceCount = std::int64_t{1} << 53;
constexpr double kMostEvidenceSeconds = 1e9;
constexpr std::string_view kStates = "SRDZtT";  // what says more stands later

std::int64_t evidence_count(const json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_number_unsigned()) { return 0; }
  return static_cast<std::int64_t>(
      std::min(found->get<std::uint64_t>(), static_cast<std::uint64_t>(kLargestEvidenceCount)));
}

double evidence_seconds(const json& object, const char* key) {
  const auto found = object.find(key);
  const double seconds = found != object.end() && found->is_number() ? found->get<double>() : 0;
  return seconds >= 0 && seconds <= kMostEvidenceSeconds ? seconds : 0;
}

std::string evidence_word(const json& object, const char* key, std::size_t most) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? output::printable(found->get_ref<const std::string&>(), most)
                                                     : "";
}

std::vector<std::string> evidence_words(const json& object, const char* key, std::size_t most, std::size_t longest) {
  std::vector<std::string> words;
  const auto found = object.find(key);
  if (found == object.end() || !found->is_array()) { return words; }
  for (const json& word : *found) {
    if (words.size() >= most) { break; }
    if (word.is_string()) { words.push_back(output::printable(word.get_ref<const std::string&>(), longest)); }
  }
  return words;
}

/// The first ones, cut.
json first_words(const std::vector<std::string>& words, std::size_t most, std::size_t longest) {
  json array = json::array();
  for (const std::string& word : words) {
    if (array.size() < most) { array.push_back(output::printable(word, longest)); }
  }
  return array;
}

double short_seconds(double seconds) {
  return std::round(seconds * 100) / 100;
}

json to_object(const ProcessEvidence& process) {
  return {{"pid", process.pid},
          {"name", output::printable(process.name, kLongestEvidenceWord)},
          {"state", std::string(1, process.state)},
          {"cpu", short_seconds(process.cpu)},
          {"in", output::printable(process.kernel_place, kLongestEvidenceWord)},
          {"threads", process.threads},
          {"queued", short_seconds(process.queued)}};
}

ProcessEvidence process_from(const json& object) {
  ProcessEvidence process;
  process.pid = evidence_count(object, "pid");
  process.name = evidence_word(object, "name", kLongestEvidenceWord);
  const std::string state = evidence_word(object, "state", 1);
  process.state = state.empty() ? '?' : state.front();
  process.cpu = evidence_seconds(object, "cpu");
  process.kernel_place = evidence_word(object, "in", kLongestEvidenceWord);
  process.threads = evidence_count(object, "threads");
  process.queued = evidence_seconds(object, "queued");
  return process;
}

json to_object(const RankEvidence& rank) {
  json object = {
      {"cpu", short_seconds(rank.cpu)}, {"queued", short_seconds(rank.queued)}, {"count", rank.process_count}};
  if (!rank.end.empty()) { object["end"] = output::printable(rank.end, kLongestEvidenceWord); }
  json processes = json::array();
  for (const ProcessEvidence& process : rank.processes) {
    if (processes.size() < kMostProcesses) { processes.push_back(to_object(process)); }
  }
  object["processes"] = std::move(processes);
  object["store"] = first_words(rank.store_sockets, kMostStoreSockets, kLongestEvidenceWord);
  if (rank.store_seen && rank.store_sockets.size() <= kMostStoreSockets) { object["all_of_store"] = true; }
  if (rank.record) { object["record"] = flight::to_text(*rank.record); }
  if (!rank.traceback.empty()) {
    object["traceback"] = first_words(rank.traceback, kMostTracebackLines, kLongestTracebackLine);
  }
  return object;
}

RankEvidence rank_from(const json& object) {
  RankEvidence rank;
  rank.end = evidence_word(object, "end", kLongestEvidenceWord);
  rank.cpu = evidence_seconds(object, "cpu");
  rank.queued = evidence_seconds(object, "queued");
  rank.process_count = evidence_count(object, "count");
  const auto processes = object.find("processes");
  if (processes != object.end() && processes->is_array()) {
    for (const json& process : *processes) {
      if (process.is_object() && rank.processes.size() < kMostProcesses) {
        rank.processes.push_back(process_from(process));
      }
    }
  }
  rank.store_sockets = evidence_words(object, "store", kMostStoreSockets, kLongestEvidenceWord);
  const auto all_of_store = object.find("all_of_store");
  rank.store_seen = all_of_store != object.end() && *all_of_store == true;
  const auto record = object.find("record");
  if (record != object.end() && record->is_string()) {
    rank.record = flight::flight_record_from_text(record->get_ref<const std::string&>());
  }
  rank.traceback = evidence_words(object, "traceback", kMostTracebackLines, kLongestTracebackLine);
  return rank;
}

}  // namespace

std::string to_text(const NodeEvidence& evidence) {
  json object = {{"version", kEvidenceVersion},  {"request", evidence.request},
                 {"node", evidence.group_rank},  {"host", output::printable(evidence.host, kLongestEvidenceHost)},
                 {"first", evidence.first_rank}, {"seconds", short_seconds(evidence.seconds)}};
  json ranks = json::array();
  for (const RankEvidence& rank : evidence.ranks) {
    if (ranks.size() < kMostEvidenceRanks) { ranks.push_back(to_object(rank)); }
  }
  object["ranks"] = std::move(ranks);
  return object.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::optional<NodeEvidence> node_evidence_from_text(std::string_view text) {
  if (text.size() > kLargestEvidence) { return std::nullopt; }
  const json object = json::parse(text, nullptr, false);
  if (!object.is_object() || evidence_count(object, "version") != kEvidenceVersion) { return std::nullopt; }
  const auto ranks = object.find("ranks");
  if (ranks == object.end() || !ranks->is_array() || ranks->size() > kMostEvidenceRanks) { return std::nullopt; }
  NodeEvidence evidence;
  evidence.request = evidence_count(object, "request");
  evidence.group_rank = evidence_count(object, "node");
  evidence.host = evidence_word(object, "host", kLongestEvidenceHost);
  evidence.first_rank = evidence_count(object, "first");
  evidence.seconds = evidence_seconds(object, "seconds");
  for (const json& rank : *ranks) {
    if (!rank.is_object()) { return std::nullopt; }
    evidence.ranks.push_back(rank_from(rank));
  }
  return evidence;
}

int weight_of_state(char state) {
  const std::size_t at = kStates.find(state);
  return at == std::string_view::npos ? -1 : static_cast<int>(at);
}

const ProcessEvidence* telling_process(const RankEvidence& rank) {
  const ProcessEvidence* most = nullptr;
  for (const ProcessEvidence& process : rank.processes) {
    if (!most || weight_of_state(process.state) > weight_of_state(most->state)) { most = &process; }
  }
  return most;
}

char state_of(const RankEvidence& rank) {
  const ProcessEvidence* process = telling_process(rank);
  return process ? process->state : '?';
}

}  // namespace mdl::launcher::hang
