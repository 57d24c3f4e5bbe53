#include "worker/metrics/label_scores.hpp"

#include <algorithm>
#include <cstdio>
#include <set>

#include "common/str_cat.hpp"
#include "worker/text/unicode.hpp"

namespace mdl::worker::metrics {
namespace {

constexpr const char* kOther = "(other)";

std::string csv_field(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) { return text; }
  std::string quoted = "\"";
  for (const char c : text) { quoted += c == '"' ? std::string("\"\"") : std::string(1, c); }
  return quoted + '"';
}

/// Text of a picture, at most `most` letters.
std::string svg_text(const std::string& text, std::size_t most) {
  std::u32string letters = text::to_code_points(text::to_utf8_lossy(text));
  if (letters.size() > most) { letters.replace(most - 1, std::u32string::npos, U"…"); }
  std::string escaped;
  for (const char c : text::to_utf8(letters)) {
    escaped += c == '<'                               ? "&lt;"
               : c == '>'                             ? "&gt;"
               : c == '&'                             ? "&amp;"
               : static_cast<unsigned char>(c) < 0x20 ? " "
                                                      : std::string(1, c);
  }
  return escaped;
}

std::string percent(std::int64_t part, std::int64_t whole) {
  char text[32];
  std::snprintf(text, sizeof text, "%5.1f %%",
                whole > 0 ? 100.0 * static_cast<double>(part) / static_cast<double>(whole) : 0.0);
  return text;
}

std::size_t width_of(const std::string& text) {
  return text::to_code_points(text::to_utf8_lossy(text)).size();
}

}  // namespace

LabelScores::LabelScores(const std::vector<std::string>& references, const std::vector<std::string>& answers)
    : rows_(std::ssize(references)) {
  const std::set<std::string> distinct(references.begin(), references.end());
  labels_.assign(distinct.begin(), distinct.end());
  counts_.assign(labels_.size() * columns(), 0);
  const auto place = [&](const std::string& label) {
    const auto found = std::ranges::lower_bound(labels_, label);
    return found != labels_.end() && *found == label ? static_cast<std::size_t>(found - labels_.begin())
                                                     : labels_.size();
  };
  for (std::size_t i = 0; i < references.size(); ++i) {
    ++counts_[place(references[i]) * columns() + place(answers[i])];
  }
}

std::int64_t LabelScores::total(std::size_t right) const {
  std::int64_t sum = 0;
  for (std::size_t answered = 0; answered < columns(); ++answered) { sum += count(right, answered); }
  return sum;
}

std::int64_t LabelScores::correct() const {
  std::int64_t sum = 0;
  for (std::size_t label = 0; label < labels_.size(); ++label) { sum += count(label, label); }
  return sum;
}

double LabelScores::accuracy() const {
  return static_cast<double>(correct()) / static_cast<double>(std::max<std::int64_t>(1, rows_));
}

std::string LabelScores::table() const {
  std::size_t widest = 5;
  for (const std::string& label : labels_) { widest = std::max(widest, width_of(label)); }
  std::string text;
  for (std::size_t right = 0; right < labels_.size(); ++right) {
    std::size_t mistaken = right == 0 ? labels_.size() : 0;
    for (std::size_t answered = 0; answered < columns(); ++answered) {
      if (answered != right && count(right, answered) > count(right, mistaken)) { mistaken = answered; }
    }
    text += str_cat("  ", labels_[right], std::string(widest - width_of(labels_[right]), ' '), "  ",
                    percent(count(right, right), total(right)), " of ", total(right));
    if (count(right, mistaken) > 0) {
      text += str_cat(", ", count(right, mistaken), " taken for ",
                      mistaken == labels_.size() ? std::string("another text") : labels_[mistaken]);
    }
    text += "\n";
  }
  return text;
}

std::string LabelScores::csv() const {
  std::string text = "right \\ answered";
  for (const std::string& label : labels_) { text += "," + csv_field(label); }
  text += str_cat(",", kOther, "\n");
  for (std::size_t right = 0; right < labels_.size(); ++right) {
    text += csv_field(labels_[right]);
    for (std::size_t answered = 0; answered < columns(); ++answered) { text += str_cat(",", count(right, answered)); }
    text += "\n";
  }
  return text;
}

std::string LabelScores::svg() const {
  constexpr std::size_t kLetters = 24;
  const std::size_t cell = labels_.size() > 40 ? 16 : 34, left = 190, top = 170;
  const std::size_t width = left + cell * columns() + 20, height = top + cell * labels_.size() + 40;
  std::string text = str_cat("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 ", width, " ", height,
                             "\" width=\"", width, "\" height=\"", height,
                             "\" font-family=\"system-ui,sans-serif\" font-size=\"12\">\n<rect width=\"100%\" "
                             "height=\"100%\" fill=\"#fff\"/>\n<text x=\"20\" y=\"28\" font-size=\"16\">accuracy ",
                             percent(correct(), rows_), " of ", rows_,
                             " answers</text>\n<text x=\"20\" y=\"48\" fill=\"#666\">a line for each right label, a "
                             "column for each answer</text>\n");
  for (std::size_t i = 0; i < columns(); ++i) {
    const std::size_t x = left + cell * i + cell / 2 + 4;
    text += str_cat("<text transform=\"translate(", x, ",", top - 8, ") rotate(-60)\">",
                    svg_text(i == labels_.size() ? kOther : labels_[i], kLetters), "</text>\n");
  }
  for (std::size_t right = 0; right < labels_.size(); ++right) {
    const std::size_t y = top + cell * right;
    text += str_cat("<text x=\"", left - 8, "\" y=\"", y + cell / 2 + 4, "\" text-anchor=\"end\">",
                    svg_text(labels_[right], kLetters), "</text>\n");
    for (std::size_t answered = 0; answered < columns(); ++answered) {
      const std::int64_t times = count(right, answered), all = std::max<std::int64_t>(1, total(right));
      char shade[16];
      std::snprintf(shade, sizeof shade, "%.3f", static_cast<double>(times) / static_cast<double>(all));
      const char* const color = right == answered ? "#1b7f5c" : "#c2410c";
      text +=
          str_cat("<rect x=\"", left + cell * answered, "\" y=\"", y, "\" width=\"", cell - 1, "\" height=\"", cell - 1,
                  "\" fill=\"", times > 0 ? color : "#f4f4f5", "\" fill-opacity=\"", times > 0 ? shade : "1", "\"/>");
      if (times > 0 && cell > 20) {
        text += str_cat("<text x=\"", left + cell * answered + cell / 2, "\" y=\"", y + cell / 2 + 4,
                        "\" text-anchor=\"middle\">", times, "</text>");
      }
      text += "\n";
    }
  }
  return text + "</svg>\n";
}

}  // namespace mdl::worker::metrics
