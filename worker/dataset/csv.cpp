#include "worker/dataset/csv.hpp"

#include <algorithm>

#include "common/error.hpp"
#include "common/str_cat.hpp"

namespace mdl::worker::dataset {
namespace {

class Reader {
 public:
  Reader(std::string_view text, char separator) : text_(text), separator_(separator) {
    if (text_.starts_with("\xEF\xBB\xBF")) { at_ = 3; }
  }

  std::vector<CsvRecord> run() {
    std::vector<CsvRecord> records;
    while (at_ < text_.size()) {
      if (take_blank_line()) { continue; }
      CsvRecord record{line_, {}};
      do { record.fields.push_back(field()); } while (take(separator_));
      if (at_ < text_.size()) { take_line_end(); }
      records.push_back(std::move(record));
    }
    return records;
  }

 private:
  bool take(char c) {
    if (at_ >= text_.size() || text_[at_] != c) { return false; }
    ++at_;
    return true;
  }

  bool take_line_end() {
    const bool carriage_return = take('\r');
    const bool ended = take('\n') || carriage_return;
    line_ += ended;
    return ended;
  }

  bool take_blank_line() {
    const auto end = text_.find_first_not_of(separator_ == '\t' ? " " : " \t", at_);
    if (end != std::string_view::npos && text_[end] != '\n' && text_[end] != '\r') { return false; }
    at_ = std::min(end, text_.size());
    take_line_end();
    return true;
  }

  std::optional<std::string> field() {
    std::string value;
    if (take('"')) { quoted(value); }
    // What follows a closing quote belongs to the field, as for pandas.
    while (at_ < text_.size() && text_[at_] != separator_ && text_[at_] != '\n' && text_[at_] != '\r') {
      value += text_[at_++];
    }
    return value.empty() ? std::nullopt : std::optional(std::move(value));
  }

  void quoted(std::string& value) {
    const std::int64_t began = line_;
    while (at_ < text_.size()) {
      const char c = text_[at_++];
      if (c == '"' && !take('"')) { return; }
      line_ += c == '\n';
      value += c;
    }
    throw UsageError(str_cat("the quoted field that begins in line ", began, " is never closed"),
                     "A quote within a quoted field is written twice: \"\".");
  }

  std::string_view text_;
  char separator_;
  std::size_t at_ = 0;
  std::int64_t line_ = 1;
};

}  // namespace

std::vector<CsvRecord> parse_csv(std::string_view text, char separator) {
  return Reader(text, separator).run();
}

}  // namespace mdl::worker::dataset
