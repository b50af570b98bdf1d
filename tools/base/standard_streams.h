// Descriptors 0 to 2 of a program that was started without some of them.
#pragma once

namespace tocsin::tools {

// Opens /dev/null in place of each that is closed: otherwise the next file or connection that is
// opened would get its number, and the log would be written into a client's stream. Reading the
// input and writing the output still fail (EBADF), so that a closed one is not taken for an empty
// one, and nothing is lost in silence; complaints are dropped. To be called before anything is
// opened. False: it could not be, with errno.
[[nodiscard]] bool open_standard_streams();

}  // namespace tocsin::tools
