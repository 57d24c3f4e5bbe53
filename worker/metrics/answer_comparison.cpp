#include "worker/metrics/answer_comparison.hpp"

#include "worker/metrics/normal_form.hpp"

namespace mdl::worker::metrics {

bool is_same_label(const std::string& right, const std::string& answer) {
  return label_form(right) == label_form(answer);
}

bool is_exact_match(const std::string& right, const std::string& answer) {
  return stripped(right) == stripped(answer);
}

void add_english(ErrorRate& rate, const EnglishText& english, const std::string& right, const std::string& answer) {
  add_words(rate, english.normalize(right), english.normalize(answer));
}

void add_text(ErrorRate& rate, const std::string& right, const std::string& answer) {
  add_characters(rate, character_form(right), character_form(answer));
}

}  // namespace mdl::worker::metrics
