#include "worker/answer_table.hpp"

#include <cmath>
#include <iostream>

#include "common/atomic_file.hpp"
#include "common/error.hpp"
#include "common/log.hpp"
#include "common/str_cat.hpp"
#include "worker/generation/answered_rows.hpp"

namespace mdl::worker {

AnswerTable::AnswerTable(const InferenceOptions& options, const convert::RowFile& file, const std::string& fingerprint)
    : options_(options), file_(file), journal_(options.output, fingerprint), begin_(std::chrono::steady_clock::now()) {
  progress_.emplace(
      cli::BarScale{.what = "Answering", .total = std::ssize(file.rows), .found = std::ssize(journal_.answers())});
}

std::vector<std::size_t> AnswerTable::rows_left() const {
  std::vector<std::size_t> rows;
  for (std::size_t i = 0; i < file_.rows.size(); ++i) {
    if (!journal_.answers().contains(file_.rows[i].number)) { rows.push_back(i); }
  }
  return rows;
}

void AnswerTable::take(const generation::BatchAnswers& batch) {
  journal_.add(batch.answers);
  problems_.insert(problems_.end(), batch.problems.begin(), batch.problems.end());
  cut_ += batch.cut;
  progress_->add(std::ssize(batch.answers) + std::ssize(batch.problems));
}

const generation::Answers& AnswerTable::complete() {
  progress_.reset();
  if (!problems_.empty()) {
    throw Error(convert::describe_problems(problems_, options_.input),
                str_cat("The other answers are in ", journal_.path().string(),
                        ". Correct the sounds and run the same command again: it goes on from there."));
  }
  return journal_.answers();
}

void AnswerTable::finish(int64_t processes) {
  write_text_atomically(options_.output, generation::answered_rows(file_, complete()));
  close(processes, options_.output, "answered");
}

void AnswerTable::close(int64_t processes, const std::filesystem::path& file, const std::string& done) {
  journal_.remove();
  if (cut_ > 0) {
    log::warning(cut_, cut_ == 1 ? " answer was" : " answers were", " cut for want of room: ",
                 options_.max_new_tokens
                     ? str_cat("--max-new-tokens ", *options_.max_new_tokens, " is all that one may have")
                     : str_cat("--max-length ", options_.max_length,
                               " counts prompt and sound as well; --max-new-tokens N counts the "
                               "answer alone"));
  }
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin_;
  std::cout << str_cat(file.string(), ": ", file_.rows.size(), " rows ", done,
                       journal_.found() ? str_cat(" (", journal_.found(), " by an earlier run)") : "", " in ",
                       std::round(seconds.count() * 10) / 10, " s",
                       processes > 1 ? str_cat(" by ", processes, " processes") : "", "\n");
}

}  // namespace mdl::worker
