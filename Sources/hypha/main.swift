internal import Glibc

exit(runProgram(CommandLine.arguments))
