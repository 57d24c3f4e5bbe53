#pragma once

#include <string>
#include <utility>
#include <vector>

namespace mdl::worker::reports {

/// Named numbers in the order in which they are shown.
using Metrics = std::vector<std::pair<std::string, double>>;

/// The number with four significant digits, as printf's %.4g writes it.
std::string four_digits(double value);

/// PREFIX_runtime (seconds), PREFIX_samples_per_second and PREFIX_steps_per_second, rounded as the Trainer rounds them.
Metrics speed(const std::string& prefix, double seconds, double samples, double steps);

/// One line of metrics as Hugging Face's Trainer prints it: {'loss': '7.712', 'learning_rate': '0.0001'}, four
/// significant digits.
std::string format_metrics(const Metrics& metrics);

}  // namespace mdl::worker::reports
