#include <algorithm>
#include <charconv>
#include <cstdint>
#include <cstdlib>

#include "common/join.hpp"
#include "common/str_cat.hpp"
#include "launcher/doctor/check_classes.hpp"

namespace mdl::launcher::doctor {
namespace {

using Level = Finding::Level;

// NCCL's buffers between GPUs of a node; Docker's default is 64 MiB in all.
constexpr std::uint64_t kSharedMemoryPerGpu = 256ull << 20;
constexpr std::uint64_t kFilesPerProcess = 64;  // pipes, sockets to every peer, mapped files
constexpr std::uint64_t kComfortableFiles = 4096;
constexpr std::uint64_t kLittleSpace = 1ull << 30;

std::string mebibytes(std::uint64_t bytes) {
  return str_cat(bytes >> 20, " MiB");
}

std::vector<std::string> addresses_of(const NodeFacts& node) {
  std::vector<std::string> addresses;
  for (const InterfaceFacts& interface : node.interfaces) { addresses.push_back(interface.address); }
  return addresses;
}

std::string suggested_interface(const NodeFacts& node) {
  const InterfaceFacts* interface = nccl_interface(node);
  return interface && !interface->loopback ? "=" + interface->name : "";
}

std::string native_advice(const NodeFacts& node) {
  return str_cat("The native one is ", node.native_beside, ": name that, or bring its other name back with `pip ",
                 "install --force-reinstall --no-deps mdl_toolkit_native-*.whl`, the file that it was installed from.");
}

}  // namespace

void NodeChecks::endpoint_name(const NodeFacts& node) {
  const EndpointFacts& endpoint = node.endpoint;
  if (endpoint.state == EndpointState::none) { return; }
  if (endpoint.addresses.empty()) {
    add(Level::fail, "endpoint", node,
        str_cat("the name ", endpoint.host, " does not resolve: ", endpoint.resolve_error),
        "Check its spelling, /etc/hosts and DNS (`getent hosts " + endpoint.host + "`), or use the address itself.");
  } else if (node.rank == 0 && job_.backend == "static" && !endpoint.owned) {
    add(Level::warning, "endpoint owner", node,
        str_cat("this is the machine of rank 0, but ", endpoint.host, " (", joined(endpoint.addresses),
                ") is none of its addresses: ", joined(addresses_of(node))),
        "Give the address under which the others see this machine; behind address translation this is as it should "
        "be.");
  }
}

void NodeChecks::endpoint(const NodeFacts& node) {
  const EndpointFacts& endpoint = node.endpoint;
  endpoint_name(node);
  if (endpoint.state == EndpointState::none || endpoint.addresses.empty()) { return; }
  std::string name = str_cat(endpoint.host, ":", endpoint.port);
  bool is_name = endpoint.addresses != std::vector<std::string>{endpoint.host};
  std::string resolved = is_name ? str_cat(endpoint.host, " is ", joined(endpoint.addresses)) : endpoint.host;
  if (endpoint.state == EndpointState::free) {
    add(Level::ok, "endpoint", node,
        str_cat(resolved, endpoint.owned ? ", an address of this machine" : "", "; port ", endpoint.port,
                " is free here"));
  } else if (endpoint.state == EndpointState::taken) {
    bool known = !endpoint.holder.empty();
    add(Level::fail, "endpoint", node,
        known ? str_cat("port ", endpoint.port, " of this machine is taken by ", endpoint.holder)
              : str_cat("on ", name, " another program than the job or the doctor answers"),
        "Stop it, or choose another port on all nodes.");
  } else if (endpoint.state == EndpointState::reached) {
    add(Level::ok, "endpoint", node, str_cat(resolved, "; ", name, " can be reached"));
  } else if (endpoint.state == EndpointState::refused) {
    add(Level::warning, "endpoint", node,
        str_cat(resolved, " answers, but nothing listens on port ", endpoint.port, " yet"),
        "Start the doctor (or the job) on that machine, too; if it runs there, a firewall refuses the port, or a job's "
        "store listens on other addresses of that machine only (--rdzv-conf listen=any there).");
  } else {
    add(Level::fail, "endpoint", node, str_cat(name, " (", resolved, ") cannot be reached: ", endpoint.error),
        "Is the machine up and is the port open in its firewall? All nodes must be able to connect to it.");
  }
}

void NodeChecks::gpus(const NodeFacts& node) {
  if (!runs_on_gpus(job_)) {
    add(Level::ok, "GPUs", node, str_cat(counted(node.gpus, "GPU"), "; the job does not ask for any"));
    return;
  }
  if (node.gpus == 0) {
    add(Level::fail, "GPUs", node,
        str_cat("the job asks for ", counted(job_.processes_here, "GPU"),
                ", but no NVIDIA GPU is there (CUDA_VISIBLE_DEVICES: ", node.cuda_visible_devices, ")"),
        "See nvidia-smi; in a container, start it with GPUs. To train on CPUs: use_cpu: true, or --nproc-per-node "
        "N.");
  } else if (node.gpus < job_.processes_here) {
    add(Level::fail, "GPUs", node,
        str_cat(counted(job_.processes_here, "process", "processes"), " would start, but there ",
                node.gpus == 1 ? "is " : "are ", counted(node.gpus, "GPU")),
        "Start at most one process for each GPU: --nproc-per-node gpu, or a smaller num_processes (the total).");
  } else if (node.gpus > job_.processes_here) {
    add(Level::warning, "idle GPUs", node,
        str_cat(node.gpus - job_.processes_here, " of ", node.gpus,
                " GPUs would stay idle: ", counted(job_.processes_here, "process starts", "processes start"), " here"),
        str_cat("num_processes is the total over all machines: ", std::int64_t{node.gpus} * job_.nodes,
                " would use them all; or --nproc-per-node gpu."));
  } else {
    add(Level::ok, "GPUs", node,
        str_cat(counted(node.gpus, "GPU"), " (", node.gpu_names.empty() ? "unknown kind" : node.gpu_names[0],
                "), one process each"));
  }
}

void NodeChecks::cuda(const NodeFacts& node) {
  if (!runs_on_gpus(job_) || node.libtorch_cuda.empty()) { return; }
  const std::string torch = "LibTorch " + node.libtorch_version;
  if (node.libtorch_cuda == "none") {
    add(Level::fail, "CUDA", node,
        str_cat("the job asks for GPUs, but ", node.program, " with ", torch, " has no CUDA"),
        "Install a LibTorch with CUDA and what was built for it; or train on CPUs: use_cpu: true, or --device cpu.");
    return;
  }
  if (node.driver_cuda.empty()) { return; }
  const int of_driver = std::atoi(node.driver_cuda.c_str()), of_torch = std::atoi(node.libtorch_cuda.c_str());
  const std::string driver = str_cat("the driver (", node.driver_version.empty() ? "unknown" : node.driver_version,
                                     ") runs CUDA up to ", node.driver_cuda);
  if (of_driver < of_torch) {
    add(Level::fail, "CUDA", node, str_cat(driver, ", but ", torch, " needs one for CUDA ", of_torch),
        str_cat("Install a driver for CUDA ", of_torch, " on this node, or a LibTorch for CUDA ", of_driver,
                " and what was built for it."));
  } else {
    add(Level::ok, "CUDA", node, str_cat(driver, "; ", torch, " has CUDA ", node.libtorch_cuda));
  }
}

void NodeChecks::interfaces(const NodeFacts& node) {
  if (!runs_on_gpus(job_)) {
    if (job_.nodes > 1) { gloo_interface(node); }
    return;
  }
  const InterfaceFacts* taken = nccl_interface(node);
  if (!node.nccl_interfaces.empty()) {
    add(Level::ok, "NCCL interface", node, "NCCL_SOCKET_IFNAME=" + node.nccl_interfaces);
  } else if (!taken || (taken->loopback && job_.nodes > 1)) {
    add(Level::fail, "NCCL interface", node, "there is no network interface but loopback",
        "Connect the machine, or give the container a network.");
  } else {
    add(Level::ok, "NCCL interface", node, str_cat("NCCL takes ", taken->name, " (", taken->address, ")"));
  }
}

void NodeChecks::gloo_interface(const NodeFacts& node) {
  if (!node.gloo_interfaces.empty()) {
    add(Level::ok, "Gloo interface", node, "GLOO_SOCKET_IFNAME=" + node.gloo_interfaces);
  } else if (!job_.program.empty() && is_toolkit(job_.program[0])) {
    add(Level::ok, "Gloo interface", node, "mdl-toolkit takes the one that leads to the endpoint");
  } else if (node.host_address.empty() || node.host_address.starts_with("127.") || node.host_address == "::1") {
    add(Level::warning, "Gloo interface", node,
        str_cat("this machine's own name resolves to ", node.host_address.empty() ? "nothing" : node.host_address,
                ", and PyTorch's Gloo listens there by default: other nodes cannot connect"),
        str_cat("Set GLOO_SOCKET_IFNAME", suggested_interface(node),
                " on this node, or correct the name in /etc/hosts."));
  } else {
    add(Level::ok, "Gloo interface", node,
        str_cat("Gloo takes ", node.host_address, ", the address of this machine's name"));
  }
}

void NodeChecks::limits(const NodeFacts& node) {
  auto processes = static_cast<std::uint64_t>(std::max(job_.processes_here, 1));
  if (runs_on_gpus(job_) && processes > 1 && node.shared_memory_bytes < processes * kSharedMemoryPerGpu) {
    add(Level::warning, "shared memory", node,
        str_cat("/dev/shm has ", mebibytes(node.shared_memory_bytes), " for ", processes, " GPU processes"),
        "In Docker add --shm-size=8g or --ipc=host; in Kubernetes mount an emptyDir of medium Memory on /dev/shm.");
  } else {
    add(Level::ok, "shared memory", node, "/dev/shm has " + mebibytes(node.shared_memory_bytes));
  }
  if (node.open_files < processes * kFilesPerProcess) {
    add(Level::fail, "open files", node,
        str_cat("the limit of open files is ", node.open_files, ", too few for ",
                counted(processes, "process", "processes")),
        "Raise it: `ulimit -n 65536`, or LimitNOFILE= of the systemd unit.");
  } else if (node.open_files < kComfortableFiles && job_.nodes > 1) {
    add(Level::warning, "open files", node, str_cat("the limit of open files is ", node.open_files),
        "Raise it for large jobs: `ulimit -n 65536`.");
  } else {
    add(Level::ok, "open files", node, str_cat("the limit is ", node.open_files));
  }
  threads(node);
}

void NodeChecks::program(const NodeFacts& node) {
  if (job_.program.empty()) { return; }
  if (node.program.empty()) {
    add(Level::fail, "program", node, node.program_error,
        !node.native_beside.empty()
            ? native_advice(node)
            : "Install it on this node or correct the path; without --no-python it must be a Python script.");
    return;
  }
  if (!node.program_problem.empty()) {
    add(Level::fail, "program", node, str_cat(node.program, ": ", node.program_problem), node.program_advice);
    return;
  }
  if (!node.missing_libraries.empty()) {
    add(Level::fail, "program", node, str_cat(node.program, " misses libraries: ", joined(node.missing_libraries)),
        "Install them at the same place as where the program was built, or set LD_LIBRARY_PATH.");
    return;
  }
  if (!node.native_beside.empty()) {
    add(Level::warning, "program", node, str_cat(node.program, " is ", node.program_kind), native_advice(node));
    return;
  }
  add(Level::ok, "program", node,
      str_cat(node.program, node.program_kind.empty() ? "" : ", " + node.program_kind,
              node.libtorch_version.empty() ? "" : ", with LibTorch " + node.libtorch_version));
}

void NodeChecks::paths(const NodeFacts& node) {
  for (const PathFacts& path : node.paths) {
    std::string what = str_cat(path.option, " ", path.path);
    if (!path.usable) {
      add(Level::fail, "paths", node,
          str_cat(what, path.for_writing ? " cannot be written: " : " cannot be read: ", path.error),
          "Put it at the same place on every node (a shared file system, or a copy), or correct the path.");
    } else if (path.for_writing && path.free_bytes < kLittleSpace) {
      add(Level::warning, "paths", node, str_cat(what, " has only ", mebibytes(path.free_bytes), " free"),
          "Checkpoints may not fit; free some space.");
    } else {
      add(Level::ok, "paths", node, what + (path.for_writing ? " can be written" : " can be read"));
    }
  }
}

void NodeChecks::threads(const NodeFacts& node) {
  int threads = 0;
  std::from_chars(node.omp_threads.data(), node.omp_threads.data() + node.omp_threads.size(), threads);
  if (threads == 0) {
    bool wasteful = !runs_on_gpus(job_) && job_.processes_here > 1 && node.cores / job_.processes_here > 1;
    std::string share = std::to_string(std::max(node.cores / std::max(job_.processes_here, 1), 1));
    if (wasteful) {
      add(Level::warning, "threads", node,
          str_cat("OMP_NUM_THREADS is not set, so each of ", job_.processes_here, " processes gets 1 thread of ",
                  node.cores, " CPUs"),
          "For CPU training: export OMP_NUM_THREADS=" + share);
    } else {
      add(Level::ok, "threads", node,
          job_.processes_here > 1 ? "OMP_NUM_THREADS is not set: 1 thread a process" : "OMP_NUM_THREADS is not set");
    }
  } else if (std::int64_t{threads} * job_.processes_here > node.cores) {
    add(Level::warning, "threads", node,
        str_cat("OMP_NUM_THREADS=", threads, " in ", counted(job_.processes_here, "process", "processes"),
                " is more than the ", counted(node.cores, "CPU")),
        str_cat("Set OMP_NUM_THREADS=", std::max(node.cores / std::max(job_.processes_here, 1), 1)));
  } else {
    add(Level::ok, "threads", node, str_cat("OMP_NUM_THREADS=", threads, ", ", node.cores, " CPUs"));
  }
}

void NodeChecks::add(Level level, const std::string& check, const NodeFacts& node, const std::string& text,
                     const std::string& advice) {
  findings_.push_back({level, check, node.host, text, advice});
}

}  // namespace mdl::launcher::doctor
