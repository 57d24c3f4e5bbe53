#include "worker/metrics/english_text.hpp"

#include <nlohmann/json.hpp>
#include <sstream>
#include <vector>

#include "common/atomic_file.hpp"
#include "common/error.hpp"
#include "common/str_cat.hpp"
#include "worker/metrics/english_numbers.hpp"
#include "worker/metrics/normal_form.hpp"
#include "worker/metrics/substitution.hpp"

namespace mdl::worker::metrics {
namespace {

/// Before numbers are looked at, in this order.
const std::vector<Substitution>& contractions() {
  static const std::vector<Substitution> steps = [] {
    std::vector<Substitution> list = {{"[<\\[][^>\\]]*[>\\]]", ""},
                                      {"\\(([^)]+?)\\)", ""},
                                      {"\\b(hmm|mm|mhm|mmm|uh|um)\\b", ""},
                                      {"\\s+'", "'"},
                                      {"\\bwon't\\b", "will not"},
                                      {"\\bcan't\\b", "can not"},
                                      {"\\blet's\\b", "let us"},
                                      {"\\bain't\\b", "aint"},
                                      {"\\by'all\\b", "you all"},
                                      {"\\bwanna\\b", "want to"},
                                      {"\\bgotta\\b", "got to"},
                                      {"\\bgonna\\b", "going to"},
                                      {"\\bi'ma\\b", "i am going to"},
                                      {"\\bimma\\b", "i am going to"},
                                      {"\\bwoulda\\b", "would have"},
                                      {"\\bcoulda\\b", "could have"},
                                      {"\\bshoulda\\b", "should have"},
                                      {"\\bma'am\\b", "madam"}};
    const std::pair<const char*, const char*> titles[] = {
        {"\\bmr\\b", "mister "},       {"\\bmrs\\b", "missus "},         {"\\bst\\b", "saint "},
        {"\\bdr\\b", "doctor "},       {"\\bprof\\b", "professor "},     {"\\bcapt\\b", "captain "},
        {"\\bgov\\b", "governor "},    {"\\bald\\b", "alderman "},       {"\\bgen\\b", "general "},
        {"\\bsen\\b", "senator "},     {"\\brep\\b", "representative "}, {"\\bpres\\b", "president "},
        {"\\brev\\b", "reverend "},    {"\\bhon\\b", "honorable "},      {"\\basst\\b", "assistant "},
        {"\\bassoc\\b", "associate "}, {"\\blt\\b", "lieutenant "},      {"\\bcol\\b", "colonel "},
        {"\\bjr\\b", "junior "},       {"\\bsr\\b", "senior "},          {"\\besq\\b", "esquire "}};
    for (const auto& [title, word] : titles) { list.emplace_back(title, word); }
    const std::pair<const char*, const char*> ends[] = {{"'d been\\b", " had been"},
                                                        {"'s been\\b", " has been"},
                                                        {"'d gone\\b", " had gone"},
                                                        {"'s gone\\b", " has gone"},
                                                        {"'d done\\b", " had done"},
                                                        {"'s got\\b", " has got"},
                                                        {"n't\\b", " not"},
                                                        {"'re\\b", " are"},
                                                        {"'s\\b", " is"},
                                                        {"'d\\b", " would"},
                                                        {"'ll\\b", " will"},
                                                        {"'t\\b", " not"},
                                                        {"'ve\\b", " have"},
                                                        {"'m\\b", " am"}};
    for (const auto& [end, words] : ends) { list.emplace_back(end, words); }
    list.emplace_back("(\\d),(\\d)", "$1$2");
    list.emplace_back("\\.([^0-9]|$)", " $1");
    return list;
  }();
  return steps;
}

/// Signs that belong to no number.
const std::vector<Substitution>& lone_signs() {
  static const std::vector<Substitution> steps = {{"[.$¢€£]([^0-9])", " $1"}, {"([^0-9])%", "$1 "}, {"\\s+", " "}};
  return steps;
}

}  // namespace

std::string EnglishText::normalize(const std::string& text) const {
  std::string plain = lower(text);
  for (const Substitution& step : contractions()) { plain = step.apply(plain); }
  plain = figures_for_numbers(without_symbols_and_diacritics(plain, U".%$¢€£"));
  std::istringstream in(plain);
  std::string words;
  for (std::string word; in >> word;) {
    const auto other = spellings_.find(word);
    words += (words.empty() ? "" : " ") + (other == spellings_.end() ? word : other->second);
  }
  for (const Substitution& step : lone_signs()) { words = step.apply(words); }
  return words;
}

std::map<std::string, std::string> read_spellings(const std::filesystem::path& file) {
  const auto words = nlohmann::json::parse(read_text(file), nullptr, /*allow_exceptions=*/false);
  if (!words.is_object()) {
    throw UsageError(file.string() + " is no object in JSON",
                     "It is to be as normalizer.json of a Whisper tokenizer: {\"colour\": \"color\", …}.");
  }
  std::map<std::string, std::string> spellings;
  for (const auto& [word, other] : words.items()) {
    if (!other.is_string()) { throw UsageError(str_cat(file.string(), ": ", word, " is no text")); }
    spellings[word] = other.get<std::string>();
  }
  return spellings;
}

}  // namespace mdl::worker::metrics
