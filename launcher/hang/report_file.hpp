#pragma once

#include <chrono>
#include <filesystem>

#include "common/loop/asio.hpp"
#include "launcher/hang/hang_report.hpp"

namespace mdl::launcher::hang {

/// How long the file of a report is waited for.
inline constexpr std::chrono::milliseconds kReportFileLimit{5000};

/// Writes a report to hang_NUMBER.txt in `folder`, so that it is there whole or not at all. A copy of this process
/// does it, for the file system may be what the job hangs on: then this goes on after `limit`, and the copy stays until
/// the kernel lets it go. Returns the path; an empty one where the file is not there, which has been logged.
asio::awaitable<std::filesystem::path> write_report_file(HangReport report, std::filesystem::path folder,
                                                         std::chrono::milliseconds limit = kReportFileLimit);

}  // namespace mdl::launcher::hang
