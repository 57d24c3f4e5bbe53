#include "worker/generation/question.hpp"

#include <algorithm>
#include <utility>

#include "common/error.hpp"

namespace mdl::worker::generation {
namespace {

using text::tokenizer::TokenId;

/// Where the last run of labels begins and ends.
std::pair<std::size_t, std::size_t> last_labelled_turn(const std::vector<int64_t>& labels) {
  std::size_t end = labels.size();
  while (end > 0 && labels[end - 1] == dataset::kIgnoredLabel) { --end; }
  std::size_t begin = end;
  while (begin > 0 && labels[begin - 1] != dataset::kIgnoredLabel) { --begin; }
  return {begin, end};
}

}  // namespace

QuestionReader::QuestionReader(const processor::Processor& processor) : processor_(processor) {
  const auto ids_of = [&](const char* text) {
    const std::vector<TokenId> ids = processor.tokenizer().encode(text);
    return std::vector<int64_t>(ids.begin(), ids.end());
  };
  opening_ = ids_of("<|im_start|>assistant\n");
  closing_ = ids_of("<|im_end|>");
}

Question QuestionReader::read(const dataset::Sample& sample) const {
  const auto [begin, end] = last_labelled_turn(sample.labels);
  if (begin == end) { throw Error("no token is labelled, so there is no right answer"); }
  const auto turn = sample.input_ids.begin() + static_cast<std::ptrdiff_t>(begin);
  const auto turn_end = sample.input_ids.begin() + static_cast<std::ptrdiff_t>(end);
  if (turn_end - turn < std::ssize(opening_) || !std::equal(opening_.begin(), opening_.end(), turn)) {
    throw Error("its labels are no turn of the assistant",
                "Answers are measured of rows as convert-dataset makes them.");
  }
  Question question;
  const auto answer = turn + std::ssize(opening_);
  for (auto at = sample.input_ids.begin(); at != answer; ++at) {
    const auto i = static_cast<std::size_t>(at - sample.input_ids.begin());
    if (sample.attention_mask[i] != 0) { question.prompt.push_back(*at); }
  }
  const std::vector<TokenId> text(answer, std::search(answer, turn_end, closing_.begin(), closing_.end()));
  question.answer = processor_.tokenizer().decode(text, /*skip_special=*/true);
  question.answer_tokens = turn_end - answer;
  return question;
}

}  // namespace mdl::worker::generation
