/// Test-only program: answers questions about texts, one JSON document a line on stdin, one answer a line on stdout.
///   text_probe FOLDER
///   {"encode": TEXT} -> [ids]   {"decode": [ids], "skip_special": BOOL} -> TEXT
///   {"render": TEMPLATE or null for the folder's own, "variables": {...}} -> TEXT, or {"error": MESSAGE}
#include <nlohmann/json.hpp>

#include <iostream>
#include <string>

#include "common/error.hpp"
#include "worker/processor/chat_template.hpp"
#include "worker/text/tokenizer/tokenizer.hpp"

int main(int argc, char** argv) {
  using mdl::worker::text::jinja::Value;
  if (argc != 2) { return 2; }
  try {
    const auto tokenizer = mdl::worker::text::tokenizer::Tokenizer::load(argv[1]);
    const auto chat = mdl::worker::processor::ChatTemplate::load(argv[1]);
    for (std::string line; std::getline(std::cin, line);) {
      const Value question = Value::parse(line);
      Value answer;
      try {
        if (question.contains("encode")) {
          answer = tokenizer.encode(question["encode"].get<std::string>());
        } else if (question.contains("decode")) {
          answer = tokenizer.decode(question["decode"].get<std::vector<mdl::worker::text::tokenizer::TokenId>>(),
                                    question["skip_special"].get<bool>());
        } else {
          answer = question["render"].is_null()
                       ? chat.apply(question["variables"])
                       : mdl::worker::text::jinja::Template(question["render"].get<std::string>())
                             .render(question["variables"]);
        }
      } catch (const mdl::Error& error) { answer = Value{{"error", error.what()}}; }
      std::cout << answer.dump() << '\n';
    }
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
  return 0;
}
