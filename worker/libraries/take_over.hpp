#pragma once

namespace mdl::worker::libraries {

/// The first act of main() in a program that loads the packages' libraries: the current folder and LD_LIBRARY_PATH
/// become again what they were when mdl-toolkit started (hand_over.hpp), so that neither the program nor what it starts
/// sees a difference.
///
/// A program that calls it leaves the current folder before the libraries' own start also where nobody handed over to
/// it.
void take_over();

/// The program that has handed over, mdl-toolkit: who wants another of its commands done starts it. Empty where this
/// program was started by hand.
const char* front_program();

}  // namespace mdl::worker::libraries
