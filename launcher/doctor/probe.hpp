#pragma once

#include "launcher/doctor/facts.hpp"
#include "launcher/doctor/job_spec.hpp"
#include "launcher/machine/machine_facts.hpp"

namespace mdl::launcher::doctor {

/// Observes this node: takes well under a second, starts nothing but the system's own loader (in its listing mode) or
/// mdl-toolkit (which tells of its libraries) and, for a Python script, python once. The endpoint's name is resolved,
/// but nothing is connected or bound: exchange_facts does that.
NodeFacts observe_node(const JobSpec& job, const machine::MachineFacts& machine);

/// Only this node's name and addresses, the endpoint's name, and the paths: for every launch. Resolving a name is its
/// slowest part.
NodeFacts observe_cheaply(const JobSpec& job);

/// The files and folders that the program's arguments name by the options of mdl-toolkit (--train-dataset,
/// --eval-dataset, --base-dir, --model-name and --resume-from-checkpoint when they are paths, --output): whether they
/// can be used here.
std::vector<PathFacts> observe_paths(const std::vector<std::string>& program);

/// Finds the program and what it would load, and whether it can start; fills program, program_kind, native_beside,
/// program_error, program_problem, program_advice, missing_libraries, libtorch_version, libtorch_cuda, nccl_version.
void observe_program(const JobSpec& job, const machine::Environment& environment, NodeFacts& node);

/// A library that a program needs.
struct NeededLibrary {
  std::string name;
  std::optional<std::string> path;  ///< nullopt: it is not found
};

/// Those in the listing that the system's loader (or ldd) prints.
std::vector<NeededLibrary> parse_library_list(const std::string& listing);

}  // namespace mdl::launcher::doctor
