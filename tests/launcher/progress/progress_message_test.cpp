#include "launcher/progress/progress_message.hpp"

#include <catch2/catch.hpp>
#include <cmath>

using namespace mdl::launcher::progress;

TEST_CASE("a progress message has what a worker says, and each field may be left out") {
  const auto all = parse_progress_message(
      R"({"step": 12, "total": 500, "loss": 2.25, "samples": 96, "own": 3.5, "waiting": 0.25,
          "section": "evaluation", "section_seconds": 60, "eval_loss": 1.5, "learning_rate": 1e-4,
          "grad_norm": 0.75})");
  REQUIRE(all);
  CHECK(*all == ProgressMessage{12, 500, 2.25, 96, 3.5, 0.25, "evaluation", 60.0, 1.5, 1e-4, 0.75});
  CHECK(parse_progress_message("{}") == ProgressMessage());
  CHECK(parse_progress_message(R"({"section": null})")->section == "");
  const auto least =
      parse_progress_message(R"({"step": 0, "total": 9007199254740992, "own": 0, "waiting": 1000000000})");
  REQUIRE(least);
  CHECK((least->step == 0 && least->total == std::int64_t{1} << 53 && least->own == 0.0 && least->waiting == 1e9));
}

TEST_CASE("fields of a progress message that are unknown or wrong are passed over, and the others count") {
  const auto read = [](const char* field) {
    const auto message = parse_progress_message(std::string(R"({"samples": 7, )") + field + "}");
    REQUIRE(message);
    CHECK(message->samples == 7);
    ProgressMessage rest = *message;
    rest.samples.reset();
    return rest;
  };
  for (const char* wrong : {R"("path": "/etc/passwd")",
                            R"("step": -1)",
                            R"("step": 1.5)",
                            R"("step": "12")",
                            R"("step": 1e3)",
                            R"("step": 9007199254740993)",
                            R"("step": 18446744073709551615)",
                            R"("step": true)",
                            R"("total": null)",
                            R"("loss": "low")",
                            R"("loss": [1])",
                            R"("own": -0.5)",
                            R"("own": 1e300)",
                            R"("waiting": NaN)",
                            R"("section": 7)",
                            R"("section": {"name": "x"})",
                            R"("section_seconds": Infinity)",
                            R"("eval_loss": {})",
                            R"("learning_rate": "1e-4")",
                            R"("grad_norm": true)"}) {
    CAPTURE(wrong);
    CHECK(read(wrong) == ProgressMessage());
  }
}

TEST_CASE("a loss that is no number is read as Python writes it, outside of strings only") {
  CHECK(std::isnan(*parse_progress_message(R"({"loss": NaN, "step": 3})")->loss));
  CHECK(*parse_progress_message(R"({"loss":-Infinity})")->loss == -INFINITY);
  CHECK(*parse_progress_message(R"({"loss": Infinity})")->loss == INFINITY);
  CHECK(*parse_progress_message(R"({"grad_norm": Infinity})")->grad_norm == INFINITY);
  const auto message = parse_progress_message(R"({"section": "a \"NaN\\", "loss": NaN})");
  REQUIRE(message);
  CHECK(message->section == "a \"NaN\\");
  CHECK(std::isnan(*message->loss));
}

TEST_CASE("what is no JSON object of at most 1 KiB is no progress message") {
  std::string longest = R"({"step": 1})";
  longest.resize(kLargestProgressMessage, ' ');
  CHECK(parse_progress_message(longest));
  CHECK_FALSE(parse_progress_message(longest + " "));
  for (const char* wrong : {"", "step=1", "{", "[1]", "1", "null", "\"{}\"", "{\"step\": 1} {}", "\xff"}) {
    CAPTURE(wrong);
    CHECK_FALSE(parse_progress_message(wrong));
  }
  CHECK_FALSE(parse_progress_message(std::string(1024, '[')));
}

TEST_CASE("a section's name cannot steer a terminal, and is cut") {
  CHECK(parse_progress_message(R"({"section": "a\u001b[2Jb\nc"})")->section == "ab c");
  const std::string text = R"({"section": ")" + std::string(500, 'x') + "\"}";
  CHECK(parse_progress_message(text)->section == std::string(kLongestSection, 'x'));
}
