#pragma once

#include <string>
#include <vector>

#include "worker/dataset/csv.hpp"
#include "worker/generation/answer_journal.hpp"

namespace mdl::worker::generation {

/// The records of a CSV file (the header first) with the answers in the column `name`, which is added behind the
/// others when it is not there: as text in the form of Python's csv.writer, lines ending in CR LF. Every row has an
/// answer.
std::string answered_csv(const std::vector<dataset::CsvRecord>& records, const Answers& answers,
                         const std::string& name = "prediction");

/// A field as csv.writer writes it: in quotes only where it must be.
std::string csv_field(const std::string& text);

}  // namespace mdl::worker::generation
