#pragma once

#include <cstddef>
#include <deque>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <utility>

#include "launcher/flight/flight_record.hpp"

namespace mdl::launcher::flight {

/// Makes a record of the parts of a dump, each as JSON, in any order but that of the entries, the oldest of which comes
/// first. What is not as it must be is left out. The numbers of collectives come from the entries: those of pg_status
/// count sends and receives as well where the library is Gloo, and do not say of which group they are.
class RecordBuilder {
 public:
  void version(const nlohmann::json& version);
  /// One of pg_config: {"name": "0", "desc": "default_pg", "ranks": "[0, 1]"}.
  void group(const nlohmann::json& config);
  /// One of entries; of many the last ones are kept.
  void entry(const nlohmann::json& entry);

  FlightRecord finish();

 private:
  /// Library and name: a process group of torch's may have two libraries, which count apart.
  using Key = std::pair<std::string, std::string>;
  struct Config {
    std::string description{};
    std::vector<std::int64_t> ranks{};
  };
  struct Known {
    std::string description{};
    std::deque<FlightEntry> entries{};
    std::optional<std::int64_t> enqueued{}, started{}, completed{};
  };

  FlightGroup group_of(const Key& key, const Known& known, std::size_t most_entries) const;

  std::string version_{};
  std::map<std::string, Config> configs_{};  ///< by the group's name
  std::map<Key, Known> known_{};
};

}  // namespace mdl::launcher::flight
