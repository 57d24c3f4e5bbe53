#pragma once

#include <c10/core/Stream.h>

#include <string>

namespace mdl::test::device {

/// The streams of the counting device: the one that all threads begin with, and another.
inline constexpr c10::StreamId kDefaultStream = 0, kOtherStream = 1;

/// The calling thread's.
c10::StreamId current_stream();
c10::StreamId exchange_stream(c10::StreamId stream);

/// As if a kernel in the default stream waited for another GPU that does not come: events there are not done any more,
/// and a host that waits for it in another way than by asking for an event is an error, since it would wait for ever.
void hold_default_stream(bool held);

/// Whether what comes last in `stream` is done.
bool is_done(c10::StreamId stream);

/// Throws when a host's wait for the current stream would not end. `what`: "item".
void require_living_stream(const std::string& what);

}  // namespace mdl::test::device
