#pragma once

#include <string>

#include "worker/metrics/edit_distance.hpp"
#include "worker/metrics/english_text.hpp"

namespace mdl::worker::metrics {

// How an answer is compared with the right one, by `mdl-toolkit evaluate` and by the evaluations of a training.

/// accuracy: the same label_form().
bool is_same_label(const std::string& right, const std::string& answer);

/// exact-match: the same but for white space around it.
bool is_exact_match(const std::string& right, const std::string& answer);

/// wer: adds the words of both in the form that `english` gives them.
void add_english(ErrorRate& rate, const EnglishText& english, const std::string& right, const std::string& answer);

/// cer: adds the characters of both in character_form().
void add_text(ErrorRate& rate, const std::string& right, const std::string& answer);

}  // namespace mdl::worker::metrics
