#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "worker/dataset/sample.hpp"
#include "worker/processor/processor.hpp"

namespace mdl::worker::generation {

/// A row of a dataset as a question and its right answer: the prompt ends where the last labelled turn's answer begins.
struct Question {
  std::vector<int64_t> prompt;  ///< tokens, without padding
  std::string answer;
  int64_t answer_tokens = 0;  ///< the end of its turn among them
};

/// Turns rows of a dataset into questions. Several threads may share one. Refers to its argument.
class QuestionReader {
 public:
  explicit QuestionReader(const processor::Processor& processor);

  /// Throws Error when the row has no labels, or labels that do not begin as a turn of the assistant does.
  Question read(const dataset::Sample& sample) const;

 private:
  const processor::Processor& processor_;
  std::vector<int64_t> opening_, closing_;  ///< the tokens of a turn of the assistant before and behind its text
};

}  // namespace mdl::worker::generation
