#pragma once

#include <span>
#include <string>

#include "worker/cli/option_text.hpp"

namespace mdl::worker::training {

/// What `mdl-toolkit train` takes.
extern const cli::CommandSyntax kTrainSyntax;

/// Options of other programs that train, and what to do here instead.
std::span<const cli::OtherWay> other_ways_to_train();

/// The text of `mdl-toolkit train --help`.
std::string train_help();

}  // namespace mdl::worker::training
