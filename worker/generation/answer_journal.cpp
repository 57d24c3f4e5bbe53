#include "worker/generation/answer_journal.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <nlohmann/json.hpp>

#include "common/atomic_file.hpp"
#include "common/error.hpp"
#include "common/log.hpp"
#include "common/str_cat.hpp"

namespace mdl::worker::generation {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* kKind = "mdl-toolkit inference";

json parse_line(const std::string& line) {
  return json::parse(line, nullptr, /*allow_exceptions=*/false);
}

void write_all(int file, std::string_view bytes, const fs::path& path) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(file, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) { continue; }
    if (written < 0) { throw Error(describe_errno("cannot write to", path, errno)); }
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  if (::fdatasync(file) != 0) { throw Error(describe_errno("cannot write to", path, errno)); }
}

}  // namespace

AnswerJournal::AnswerJournal(const fs::path& output, const std::string& fingerprint)
    : path_(output.string() + ".partial"), file_(::open(path_.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666)) {
  if (!file_) { throw Error(describe_errno("cannot open", path_, errno)); }
  if (::flock(file_.get(), LOCK_EX | LOCK_NB) != 0) {
    throw Error(str_cat("another process is writing to ", path_.string()), "Wait for it, or give another --output.");
  }
  take_up(fingerprint);
}

void AnswerJournal::take_up(const std::string& fingerprint) {
  const std::string text = read_text(path_);
  std::size_t good = 0;  // bytes up to the end of the last whole line
  bool first = true;
  for (std::size_t end; (end = text.find('\n', good)) != std::string::npos; good = end + 1) {
    const json line = parse_line(text.substr(good, end - good));
    if (first && (!line.is_object() || line.value("kind", "") != kKind)) { break; }
    if (first && line.value("fingerprint", "") != fingerprint) {
      log::warning(path_.string(), " is of a run with other rows, options or weights: beginning anew");
      good = 0;
      break;
    }
    if (!first) {
      if (!line.is_object() || !line.contains("row") || !line.contains("answer")) { break; }
      answers_[line.at("row").get<std::int64_t>()] = line.at("answer").get<std::string>();
    }
    first = false;
  }
  if (good == 0 && !text.empty() && text.find(kKind) == std::string::npos) {
    throw Error(str_cat(path_.string(), " is in the way: it is not of this mdl-toolkit's inference or evaluate"),
                "Move it away, or give another --output.");
  }
  found_ = answers_.size();
  if (good < text.size() && ::ftruncate(file_.get(), static_cast<off_t>(good)) != 0) {
    throw Error(describe_errno("cannot write to", path_, errno));
  }
  if (good == 0) { write_all(file_.get(), json({{"kind", kKind}, {"fingerprint", fingerprint}}).dump() + "\n", path_); }
}

void AnswerJournal::add(const Answers& answers) {
  std::string lines;
  for (const auto& [row, answer] : answers) {
    lines += json({{"row", row}, {"answer", answer}}).dump() + "\n";
    answers_[row] = answer;
  }
  write_all(file_.get(), lines, path_);
}

void AnswerJournal::remove() {
  std::error_code ignored;  // what it held is in the output
  fs::remove(path_, ignored);
}

}  // namespace mdl::worker::generation
