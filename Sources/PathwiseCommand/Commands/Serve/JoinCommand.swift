import ArgumentParser

struct JoinCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "join",
        abstract: "Join a server with its token.",
        discussion: """
            A token is the line that 'pathwise serve' prints at its first start, and
            'pathwise invite' later. It has the server's key and addresses, and is good for
            one client until it expires; whoever has it can join, so treat it as a password
            until it has been used. Other users of this host see the command line of a
            running program, for example with ps; where that matters, read the token from a
            file or from standard input.

            A new key of this host is made and given to the server. Both keys and the
            addresses are kept in the folder of --state, under servers/NAME: --server NAME
            names them in other commands.

            The exit code is 65 for a token that is not complete, 77 for one that the server
            does not take, 69 if the server does not answer, 73 if the name is taken.

            Examples:
              pathwise join pathwise1-TOKEN
              pathwise join --file token.txt
              pathwise join - --name studio < token.txt
            """
    )

    @Argument(help: "The token, or - to read it from standard input.")
    var token: String?

    @Option(
        name: .shortAndLong,
        help: ArgumentHelp("Read the token from this file.", valueName: "file"))
    var file: String?

    @Option(
        help: ArgumentHelp(
            "The name of the server on this host (default: its host name).", valueName: "name"))
    var name: String?

    @Option(
        help: ArgumentHelp(
            "The name of this client on the server, unless the token has one (default: this "
                + "host's name).", valueName: "name"))
    var `as`: String?

    @Flag(help: "Replace a server of the same name.")
    var force = false

    @OptionGroup var state: StateOptions

    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard (token == nil) != (file == nil) else {
            throw ValidationError(
                "give the token, - for standard input, or --file FILE, and one of them only")
        }
    }

    func run() async throws {
        try state.actAsOwner()
        try await JoinJob.run(self)
    }
}
