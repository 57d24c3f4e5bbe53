#include "launcher/straggler/straggler_teller.hpp"

#include <algorithm>
#include <utility>

#include "common/log.hpp"
#include "common/parse_number.hpp"

namespace mdl::launcher::straggler {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kUsualTime{60'000};
constexpr milliseconds kBetweenViews{10'000};
constexpr double kMostSeconds = 1e6;

}  // namespace

StragglerTeller::StragglerTeller(milliseconds lasting, Happened happened)
    : lasting_(lasting), happened_(std::move(happened)), watch_(lasting) {}

milliseconds StragglerTeller::look(const watch::JobView& view) {
  const StragglerWatch::Change change = watch_.look(view);
  for (HostLine& line : describe_stragglers(change.slow)) {
    log::warning(line.text);
    tell(progress::kStragglerKind, std::move(line), view.round);
  }
  for (HostLine& line : describe_recovered(change.recovered)) {
    log::news(line.text);
    tell(progress::kRecoveredKind, std::move(line), view.round);
  }
  return std::clamp(lasting_ / 2, milliseconds(1), kBetweenViews);
}

void StragglerTeller::tell(const char* kind, HostLine line, std::int64_t round) const {
  progress::JobEvent event;
  event.kind = kind;
  event.text = std::move(line.text);
  event.slow = progress::SlowFacts{round, std::move(line.ranks)};
  happened_(std::move(event));
}

milliseconds straggler_time(const std::optional<std::string>& text) {
  if (!text || text->empty()) { return kUsualTime; }
  const auto seconds = parse_real_number(*text);
  if (seconds && *seconds > 0 && *seconds < kMostSeconds) {
    return std::chrono::ceil<milliseconds>(std::chrono::duration<double>(*seconds));
  }
  log::warning("MDL_STRAGGLER_SECONDS=", *text, " is no number of seconds above 0: using 60");
  return kUsualTime;
}

}  // namespace mdl::launcher::straggler
