#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "common/unique_fd.hpp"

namespace mdl::worker::process {

/// Tells the launcher how this worker gets on: datagrams to the socket that MDL_PROGRESS names, in the protocol of
/// docs/watching.md. Where there is none, or nobody reads it, nothing happens; a worker never waits for its launcher.
/// For one thread.
class ProgressSender {
 public:
  /// `path` may be null: nothing is sent.
  explicit ProgressSender(const char* path);

  struct Step {
    std::int64_t step = 0;   ///< that are done
    std::int64_t total = 0;  ///< at the end
    std::optional<double> loss{}, learning_rate{}, grad_norm{};
    std::int64_t samples = 0;  ///< of this process, since its start
    double own = 0;            ///< seconds of its steps, without what it waited
    double waiting = 0;        ///< seconds that its steps waited in collectives
  };
  /// A step is done. Of steps that follow each other within kApart only the first is sent, and the last of all.
  void step(const Step& step);
  /// The last step has been evaluated.
  void evaluated(double loss);

  /// What this process does beside steps, for as long as this lives; `longest`: after so many seconds it hangs.
  class Section {
   public:
    Section(ProgressSender& sender, const std::string& name, std::optional<double> longest);
    ~Section();
    Section(const Section&) = delete;
    Section& operator=(const Section&) = delete;

   private:
    ProgressSender& sender_;
  };

  static constexpr std::chrono::milliseconds kApart{20};

 private:
  void send(const std::string& message) const;

  UniqueFd socket_;
  std::chrono::steady_clock::time_point last_{};
};

}  // namespace mdl::worker::process
