#include "launcher/command_line/health_command.hpp"

#include <string_view>

#include "common/error.hpp"
#include "common/str_cat.hpp"
#include "launcher/command_line/launch_command.hpp"

namespace mdl::launcher::command_line {
namespace {

constexpr std::string_view kBlanks = " \t\n";
constexpr std::string_view kOfAShell = "|&;<>()$`*?[";  // outside quotes
constexpr std::string_view kOfAShellQuoted = "$`";      // and between double ones
constexpr std::string_view kEscapedQuoted = "\"\\$`";   // what \ stands before there

/// One command line on its way to words.
class CommandSplitter {
 public:
  CommandSplitter(const std::string& source, const std::string& text) : source_(source), text_(text) {}

  std::vector<std::string> words() {
    while (at_ < text_.size()) { take(); }
    end_word();
    if (words_.empty()) { throw UsageError(str_cat(source_, " is empty"), "Name a program, with its arguments."); }
    return std::move(words_);
  }

 private:
  void take() {
    const char c = text_[at_++];
    if (kBlanks.find(c) != std::string_view::npos) {
      end_word();
    } else if (c == '\'') {
      take_literally();
    } else if (c == '"') {
      take_quoted();
    } else if (c == '\\') {
      if (at_ == text_.size()) { refuse("ends with a \\"); }
      add(text_[at_++]);
    } else {
      if (kOfAShell.find(c) != std::string_view::npos || (c == '~' && !in_word_)) { refuse_shell(c); }
      add(c);
    }
  }

  void take_literally() {
    const std::size_t end = text_.find('\'', at_);
    if (end == std::string::npos) { refuse("has a ' without its other one"); }
    word_ += text_.substr(at_, end - at_);
    in_word_ = true;
    at_ = end + 1;
  }

  void take_quoted() {
    in_word_ = true;
    for (; at_ < text_.size() && text_[at_] != '"'; ++at_) {
      const bool escapes =
          text_[at_] == '\\' && at_ + 1 < text_.size() && kEscapedQuoted.find(text_[at_ + 1]) != std::string_view::npos;
      if (escapes) { ++at_; }
      if (!escapes && kOfAShellQuoted.find(text_[at_]) != std::string_view::npos) { refuse_shell(text_[at_]); }
      word_ += text_[at_];
    }
    if (at_ == text_.size()) { refuse("has a \" without its other one"); }
    ++at_;
  }

  void add(char c) {
    word_ += c;
    in_word_ = true;
  }

  void end_word() {
    if (in_word_) { words_.push_back(std::move(word_)); }
    word_.clear();
    in_word_ = false;
  }

  [[noreturn]] void refuse(const std::string& what) const {
    throw UsageError(str_cat(source_, " ", what, ": ", text_), "Write its words as for a shell.");
  }
  [[noreturn]] void refuse_shell(char c) const {
    throw UsageError(str_cat(source_, " has a ", c, ", which only a shell would understand: ", text_),
                     str_cat("No shell reads it. Put the letter between single quotes if it means itself, or start a "
                             "shell: sh -c 'COMMAND'."));
  }

  const std::string& source_;
  const std::string& text_;
  std::size_t at_ = 0;
  std::string word_;
  bool in_word_ = false;  ///< also in an empty one, ''
  std::vector<std::string> words_;
};

}  // namespace

std::vector<std::string> split_command(const std::string& source, const std::string& text) {
  return CommandSplitter(source, text).words();
}

HealthCommand plan_health_command(const std::string& text, const Environment& environment) {
  HealthCommand command;
  command.text = text;
  command.argv = split_command("--health-command", text);
  try {
    command.executable = find_program(command.argv.front(), environment, "Check its name.");
  } catch (const Error& error) {
    throw Error(str_cat("--health-command: ", error.problem()), error.advice(), error.exit_code());
  }
  return command;
}

}  // namespace mdl::launcher::command_line
