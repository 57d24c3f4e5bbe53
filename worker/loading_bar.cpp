#include "worker/loading_bar.hpp"

#include <memory>

#include "worker/cli/progress_bar.hpp"

namespace mdl::worker {

model::LoadProgress loading_bar(std::FILE* file) {
  struct State {
    std::unique_ptr<cli::ProgressBar> bar;
    int64_t shown = 0;
  };
  return [file, state = std::make_shared<State>()](int64_t loaded, int64_t total) {
    if (!state->bar) {
      state->bar =
          std::make_unique<cli::ProgressBar>(cli::BarScale{.what = "Loading", .total = total, .unit = "bytes"}, file);
    }
    state->bar->add(loaded - state->shown);
    state->shown = loaded;
    if (loaded == total) { state->bar->end_line(); }
  };
}

}  // namespace mdl::worker
