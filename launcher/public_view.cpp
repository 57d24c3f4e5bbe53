#include "launcher/public_view.hpp"

#include <filesystem>
#include <string>
#include <system_error>
#include <utility>

namespace mdl::launcher {

PublicView::PublicView(asio::io_context& io, const command_line::LaunchPlan& plan, job::JobRendezvous& rendezvous,
                       const output::OutputMux& output)
    : io_(io),
      plan_(plan),
      rendezvous_(rendezvous),
      metrics_(io, plan, rendezvous),
      dashboard_(io, plan, rendezvous),
      stderr_(
          io, command_line::run_id_of(plan.store), [&rendezvous] { return rendezvous.store_place(); },
          [&output](int local_rank) { return output.last_stderr_lines(local_rank); }) {
  rendezvous.when_store_is_reached([this](job::StoreHost host) { store_is_reached(host); });
}

void PublicView::store_is_reached(job::StoreHost host) {
  metrics_.store_is_reached(host);
  dashboard_.store_is_reached(host);
  const std::optional<job::StorePlace> place = rendezvous_.store_place();
  if (sign_ || !place) { return; }
  status::SignedJob job;
  job.run_id = command_line::run_id_of(plan_.store);
  job.store = place->address;
  job.secret = place->made_up_secret;
  job.script = command_line::short_name(plan_.command);
  const std::string secret_file = command_line::secret_file_of(plan_.options.rdzv_conf);
  std::error_code ignored;
  // The other process may be in another folder. A job of one node has a secret of its own for this.
  if (!secret_file.empty() && job.secret.empty()) {
    job.secret_file = std::filesystem::absolute(secret_file, ignored).string();
  }
  sign_.emplace(io_, job);
}

}  // namespace mdl::launcher
