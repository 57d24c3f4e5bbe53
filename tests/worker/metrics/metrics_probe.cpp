// metrics_probe: reads {"english": [text…], "spellings": {…}, "pairs": [[reference, answer]…]} from stdin and writes
// what the room makes of them, for tests/peer/inference/test_worker_metrics.py.
#include <iostream>
#include <nlohmann/json.hpp>

#include "worker/metrics/edit_distance.hpp"
#include "worker/metrics/english_text.hpp"
#include "worker/metrics/label_scores.hpp"
#include "worker/metrics/normal_form.hpp"

int main() {
  using namespace mdl::worker;
  const auto input = nlohmann::json::parse(std::cin);
  const metrics::EnglishText english(input.at("spellings").get<std::map<std::string, std::string>>());
  nlohmann::json output = {{"english", nlohmann::json::array()}};
  for (const auto& text : input.at("english")) {
    output["english"].push_back(english.normalize(text.get<std::string>()));
  }
  metrics::ErrorRate words, characters;
  std::vector<std::string> references, answers;
  for (const auto& pair : input.at("pairs")) {
    const auto reference = pair.at(0).get<std::string>(), answer = pair.at(1).get<std::string>();
    metrics::add_words(words, english.normalize(reference), english.normalize(answer));
    metrics::add_characters(characters, metrics::character_form(reference), metrics::character_form(answer));
    references.push_back(metrics::label_form(reference));
    answers.push_back(metrics::label_form(answer));
  }
  const metrics::LabelScores labels(references, answers);
  output["wer"] = words.rate();
  output["cer"] = characters.rate();
  output["accuracy"] = labels.accuracy();
  output["labels"] = labels.labels();
  output["references"] = references;
  output["answers"] = answers;
  output["confusion"] = nlohmann::json::array();
  for (std::size_t right = 0; right < labels.labels().size(); ++right) {
    std::vector<std::int64_t> row;
    for (std::size_t answered = 0; answered <= labels.labels().size(); ++answered) {
      row.push_back(labels.count(right, answered));
    }
    output["confusion"].push_back(row);
  }
  std::cout << output.dump() << '\n';
  return 0;
}
