import Glibc
import HyphaSimulator

exit(SimulationCommand.run(Array(CommandLine.arguments.dropFirst())))
