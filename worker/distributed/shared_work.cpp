#include "worker/distributed/shared_work.hpp"

#include <c10/util/Exception.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <thread>

#include "common/base64.hpp"
#include "common/error.hpp"
#include "common/exception_text.hpp"
#include "common/expected.hpp"
#include "common/str_cat.hpp"

namespace mdl::worker::distributed {
namespace {

using nlohmann::json;

/// How long rank 0, whose work has failed, waits for the others to hear of it, and how often it looks.
constexpr std::chrono::milliseconds kHearing{5000}, kLook{10};

/// What came of work: its text, or why there is none.
using Outcome = Expected<std::string, Error>;

Outcome attempt(const std::function<std::string()>& work) {
  try {
    return work();
  } catch (const c10::Error& error) {  // its what() would add a C++ stack trace
    return Unexpected{Error(error.what_without_backtrace())};
  } catch (const std::exception& error) { return Unexpected{as_error(error)}; }
}

/// Texts in base64: a path in them need not be UTF-8.
std::string to_json(const Outcome& outcome) {
  json object;
  if (outcome) {
    object["text"] = base64_encode(*outcome);
  } else {
    const Error& error = outcome.error();
    object["problem"] = base64_encode(error.problem());
    object["advice"] = base64_encode(error.advice());
    object["exit_code"] = error.exit_code();
  }
  return object.dump();
}

Outcome outcome_from_json(const std::string& text) {
  const json object = json::parse(text);
  const auto text_at = [&](const char* key) { return base64_decode(object.at(key).get<std::string>()).value(); };
  if (object.contains("text")) { return text_at("text"); }
  return Unexpected{Error(text_at("problem"), text_at("advice"), object.at("exit_code").get<int>())};
}

/// Rank 0 may serve the store: where all are to fail, it stays until the others know why.
void wait_until_all_know(ProcessGroup& group, const std::string& name) {
  const auto name_of = [&](std::int64_t rank) { return str_cat(name, "/known/", rank); };
  if (!group.is_first()) { return group.post(name_of(group.rank()), ""); }
  const auto deadline = std::chrono::steady_clock::now() + kHearing;
  for (std::int64_t rank = 1; rank < group.world_size(); ++rank) {
    while (!group.take(name_of(rank)) && std::chrono::steady_clock::now() < deadline) {
      std::this_thread::sleep_for(kLook);
    }
  }
}

std::string text_or_throw(ProcessGroup& group, const std::string& name, const Outcome& outcome) {
  if (outcome) { return *outcome; }
  try {
    wait_until_all_know(group, name);
  } catch (const std::exception&) {}  // a store that is gone by now must not hide why the run ends
  const Error& error = outcome.error();
  if (error.exit_code() == kExitUsage) { throw UsageError(error.problem(), error.advice()); }
  throw error;
}

}  // namespace

std::string share_work(ProcessGroup& group, const std::string& name, const std::function<std::string()>& work) {
  const std::string told = group.share(name, group.is_first() ? to_json(attempt(work)) : "");
  return text_or_throw(group, name, outcome_from_json(told));
}

void finish_work(ProcessGroup& group, const std::string& name, const std::function<void()>& work) {
  const Outcome own = attempt([&] {
    work();
    return std::string();
  });
  for (const std::string& outcome : group.share_all(name, to_json(own))) {
    text_or_throw(group, name, outcome_from_json(outcome));
  }
}

}  // namespace mdl::worker::distributed
