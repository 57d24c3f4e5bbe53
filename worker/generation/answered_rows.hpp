#pragma once

#include <string>

#include "worker/convert/row_file.hpp"
#include "worker/generation/answer_journal.hpp"

namespace mdl::worker::generation {

/// The file as it was read with the answers in the column or key `name`, which is added behind the others when it is
/// not there. Tables are in the form of Python's csv.writer, lines ending in CR LF. Every row has an answer.
std::string answered_rows(const convert::RowFile& file, const Answers& answers, const std::string& name = "prediction");

}  // namespace mdl::worker::generation
