#include "launcher/dashboard/stderr_board.hpp"

#include <utility>

namespace mdl::launcher::dashboard {

using rendezvous::client::TcpStoreClient;

asio::awaitable<void> StderrBoard::say_open(TcpStoreClient& store) const {
  co_await store.set(prefix_ + "open", "1");
}

asio::awaitable<bool> StderrBoard::is_open(TcpStoreClient& store) const {
  const std::optional<std::string> open = co_await store.get_now(prefix_ + "open");
  co_return open.has_value();
}

asio::awaitable<std::optional<LinesAnswer>> StderrBoard::ask(TcpStoreClient& store, std::int64_t node,
                                                             LinesRequest request,
                                                             std::chrono::milliseconds limit) const {
  const std::string key = answer_key(request);
  co_await store.delete_key(key);  // one that came too late for the last question
  std::string question = to_text(request);
  co_await store.set(ask_key(node), std::move(question));
  const std::optional<std::string> text = co_await store.get(key, limit);
  if (!text) { co_return std::nullopt; }
  co_await store.delete_key(key);
  std::optional<LinesAnswer> answer = lines_answer_from_text(*text);
  if (answer && answer->number != request.number) { answer.reset(); }
  co_return answer;
}

asio::awaitable<std::optional<LinesRequest>> StderrBoard::next_request(TcpStoreClient& store, std::int64_t node,
                                                                       std::chrono::milliseconds limit) const {
  const std::string key = ask_key(node);
  const std::optional<std::string> text = co_await store.get(key, limit);
  if (!text) { co_return std::nullopt; }
  co_await store.delete_key(key);
  co_return lines_request_from_text(*text);
}

asio::awaitable<void> StderrBoard::answer(TcpStoreClient& store, LinesRequest request, LinesAnswer answer) const {
  std::string text = to_text(answer);
  co_await store.set(answer_key(request), std::move(text));
}

}  // namespace mdl::launcher::dashboard
