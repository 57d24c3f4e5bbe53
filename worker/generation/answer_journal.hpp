#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

#include "common/unique_fd.hpp"

namespace mdl::worker::generation {

/// Answers by the number of their row, from 1.
using Answers = std::map<std::int64_t, std::string>;

/// OUTPUT.partial, where answers are kept until all are there, so that a run that was cut off goes on. One JSON a line:
/// first the fingerprint of what the answers are to, then an answer each. While this object lives, no other process
/// writes there (a file lock).
class AnswerJournal {
 public:
  /// Takes up the journal of an earlier run with the same `fingerprint`: a line that broke off is dropped. Another
  /// run's journal is begun anew. Throws Error when the file cannot be written, is no journal, or another process is at
  /// it.
  AnswerJournal(const std::filesystem::path& output, const std::string& fingerprint);

  const Answers& answers() const { return answers_; }
  std::size_t found() const { return found_; }  ///< answers of an earlier run
  const std::filesystem::path& path() const { return path_; }

  /// Keeps further answers; they are on the disk when it returns. Throws Error, for example when that is full.
  void add(const Answers& answers);

  /// Removes the file: the answers are in OUTPUT now.
  void remove();

 private:
  void take_up(const std::string& fingerprint);

  std::filesystem::path path_;
  UniqueFd file_;
  Answers answers_;
  std::size_t found_ = 0;
};

}  // namespace mdl::worker::generation
