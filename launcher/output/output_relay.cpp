#include "launcher/output/output_relay.hpp"

#include <array>
#include <memory>

#include "common/loop/asio.hpp"
#include "launcher/output/output_destination.hpp"
#include "launcher/output/worker_stream.hpp"

namespace mdl::launcher::output {
namespace {

/// One of the launcher's own streams, shared by the workers' streams that go there.
struct Console {
  Console(asio::io_context& io, UniqueFd stream) : fd(std::move(stream)), destination(io, fd.get()) {}
  UniqueFd fd;
  OutputDestination destination;
};

asio::awaitable<void> relay(std::shared_ptr<WorkerStream> stream, std::shared_ptr<Console> console) {
  co_await stream->pump();
  co_await stream->finish();
  if (console) { co_await console->destination.flush(); }
}

StreamSinks sinks_of(LeftStream& stream, const std::shared_ptr<Console>& console) {
  StreamSinks sinks;
  if (console) { sinks.console = &console->destination; }
  sinks.whole_lines = stream.whole_lines;
  sinks.prefix = stream.prefix;
  sinks.line_by_line = stream.line_by_line;
  sinks.file = std::move(stream.file);
  if (stream.filter_file) {
    sinks.filter = std::make_shared<LineFilter>(LineFilter{stream.filter_words, std::move(stream.filter_file)});
  }
  return sinks;
}

}  // namespace

void relay_output(std::vector<LeftStream> streams) {
  asio::io_context io;
  std::array<std::shared_ptr<Console>, 2> consoles;
  for (LeftStream& left : streams) {
    std::shared_ptr<Console> console;
    if (left.console) {
      auto& shared = consoles.at(left.to_stderr ? 1 : 0);
      if (!shared) { shared = std::make_shared<Console>(io, std::move(left.console)); }
      console = shared;
    }
    auto stream = std::make_shared<WorkerStream>(io, left.local_rank, std::move(left.from), sinks_of(left, console));
    stream->take_up(left.unfinished, left.after_return);
    asio::co_spawn(io, relay(std::move(stream), std::move(console)), asio::detached);
  }
  streams.clear();
  consoles = {};
  io.run();
}

}  // namespace mdl::launcher::output
