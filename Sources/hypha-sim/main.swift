import Glibc

exit(await SimulationCommand.run(Array(CommandLine.arguments.dropFirst())))
