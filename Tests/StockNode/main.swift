import Glibc

// A complete stock Mycelium node for the tests: the model with sockets and a TUN.
// Exit codes: 0 after SIGTERM, 1 for the system, 2 for the command line, 3 where an input aborts a stock process.
do throws(Failure) {
    exit(try Node(Arguments(CommandLine.arguments.dropFirst())).run())
} catch {
    Console.warn(error.text)
    exit(error.code)
}
