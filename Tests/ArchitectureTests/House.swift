/// What the rules allow for each room; this is the only place to change for another structure.
enum House {
    /// The rooms from the lowest to the highest.
    ///
    /// A room may only depend on rooms before it; Package.swift says on which.
    static let order = [
        "COpenBLAS", "CSQLite", "CLibCrypto", "CCrypto", "CLinuxUDP", "CLinuxFile",
        "CKernels",
        "DenseMath", "PathTelemetry", "PathLearning", "PathTransport", "PathTrace",
        "PathSimulation", "PathEvaluation", "PathTraining", "PathReport", "PathNetwork",
        "PathEmulation", "Pathwise", "PathForward", "PathWatch",
        "PathWorlds", "PathDemo", "PathwiseCommand",
    ]

    /// Modules of the system and the toolchain that every room may import.
    static let systemModules: Set<String> = ["Glibc", "Synchronization"]

    /// Rooms that packets and decisions pass through.
    ///
    /// They have no Foundation, no existential, and only the classes named below.
    static let packetPath: Set<String> = [
        "DenseMath", "PathTelemetry", "PathLearning", "PathTransport", "PathNetwork",
    ]

    /// Classes of the packet path's rooms, each with the reason why it is one.
    static let classes: [String: String] = [
        "SecretBytes": "its deinit wipes the bytes when the last holder lets go; one a secret",
        "KeyHandle": "owns a key of libcrypto and frees it; one a key, not on a packet's way",
        "ConnectionBox":
            "a server keeps many connections, which are not copyable; one a connection",
        "HalfOpen":
            "a table names it, and it holds a cipher, which is not copyable; one a handshake",
        "PolicyCell":
            "a policy of any kind without an existential; one a selector, made once",
        "PolicyHolder": "the same, of one kind",
        "StreamSlot": "queues of the stream table name the same slot; one a stream",
        "ClientDriver": "shared by its thread and the callers; one a connection",
        "ServerDriver": "shared by its thread and the callers; one a server",
        "DriverLock": "the lock between the two; one a driver",
        "Box": "carries a closure into a new thread; one a thread",
        "ServedConnection": "a server's connection as its callers know it; one a connection",
        "ProbeSocket":
            "questions to several addresses leave from one socket; one a family of a diagnosed path",
        "Slot": "owns a socket of the driver's set; one a socket",
        "Waker": "shared with the threads that end a wait; one a poller",
    ]

    /// Rooms in which a guessable number would help an attacker: numbers there come from the
    /// system's random source.
    static let secretRooms: Set<String> = [
        "PathTransport", "PathNetwork", "PathEmulation", "Pathwise", "PathForward", "PathWatch",
    ]

    /// Files of those rooms that draw from the seeded generator nevertheless, and why.
    static let seededDraws: [String: String] = [
        "Sources/PathTransport/Connection/Parts/ClientHandshake.swift":
            "pauses between attempts to reach a busy server",
        "Sources/PathTransport/Endpoint/ServerEndpoint.swift":
            "seeds of the policies of a server's connections",
    ]

    /// Public functions that a documented protocol requires; the protocol documents them.
    static let witnesses: Set<String> = [
        "distribution", "score", "learn", "hash", "next", "encode", "svg", "run", "validate",
        "handleClient", "handleServer",
    ]

    /// Public because a protocol of the standard library or of a package requires it.
    static let namedByOthers: Set<String> = [
        "description", "debugDescription", "customMirror", "hash", "encode", "next", "allCases",
        "rawValue", "startIndex", "endIndex", "index", "configuration", "run", "validate",
    ]

    /// Public declarations that no other room reaches, as `Room.name`, each with its reason.
    static let unreached: [String: String] = [
        "DenseMath.candidateLimit": "room that the benchmark of a decision gives to a kernel",
        "DenseMath.coreName": "benchmarks name the kernels that BLAS chose",
        "PathLearning.NeuralLinearPosterior":
            "the neural-linear head is trained and measured; no policy decides by it yet",
        "PathLearning.CandidateBuilder": "the benchmark of a decision builds candidates with it",
        "PathLearning.forcedFeedback": "a need that such a descriptor may state",
        "PathSimulation.BulkTransfer": "what benchmarks and scenarios of the transport send",
        "PathSimulation.WorldCredentials": "benchmarks and scenarios of the transport give keys",
        "PathSimulation.datagramsDelivered": "the benchmark of the transport counts by it",
        "PathSimulation.play": "the regret of learning policies is measured in bandit worlds",
        "PathSimulation.randomRegret": "the same",
        "PathSimulation.regret": "the same",
        "PathNetwork.forEachDatagram": "the flood of handshakes reads its answers with it",
        "PathTrace.cpuNanoseconds": "the benchmark of recording reads the writer's time",
        "Pathwise.retryNow": "programs that learn of a change of the network use it",
        "PathTransport.NoiseHandshake": "the benchmark of the handshake runs it by itself",
        "PathTransport.readMessage": "the same",
        "PathTransport.writeMessage": "the same",
        "PathTransport.seal": "the benchmark of ciphers seals packets with it",
        "PathTransport.hasSample": "the benchmark of estimators asks for it",
        "PathTransport.initialWindowPackets":
            "a setting of connections and servers for programs that use the library",
        "PathTransport.streamSendCapacity": "a setting, as above",
        "PathTransport.streamDeadlineRange": "a setting, as above",
        "PathTransport.quickProbeInterval": "a setting, as above",
        "PathTransport.idleProbeInterval": "a setting, as above",
        "PathTransport.meteredProbeInterval": "a setting, as above",
        "PathTransport.keepaliveInterval": "a setting, as above",
        "PathTransport.failedProbeInterval": "a setting, as above",
        "PathTransport.sampleInterval": "a setting, as above",
        "PathTransport.halfOpenLimit": "a setting, as above",
        "PathTransport.handshakesBeforeCookies": "a setting, as above",
        "PathTransport.handshakesPerAddress": "a setting, as above",
        "PathTransport.maximumAckDelay": "a setting, as above",
        "PathTransport.maximumMessage": "a setting, as above",
        "PathTransport.maximumPathName": "a setting, as above",
        "PathTransport.streamBytesReceived":
            "a count of connections and servers for programs that use the library",
        "PathTransport.duplicateBytesReceived": "a count, as above",
        "PathTransport.initiations": "a count, as above",
        "PathTransport.refusedWrongKey": "a count, as above",
        "PathTransport.refusedUnknownClient": "a count, as above",
        "PathTransport.refusedPresharedKey": "a count, as above",
        "PathTransport.refusedBusy": "a count, as above",
        "PathTransport.refusedStale": "a count, as above",
    ]

    /// The most lines of a file.
    static let longestFile = 600
    /// The most lines of `Connection` and its extensions together.
    static let longestConnection = 1500

    /// A run of this many equal lines counts as repeated code.
    static let longestRepetition = 20

    /// The most files of a folder.
    static let fullFolder = 10

    /// Folders that may hold one file, each with its reason.
    static let smallFolders: [String: String] = [
        "include": "SwiftPM takes the public headers of a C target from a folder of that name"
    ]

    /// What is defined once: a mark of each definition, and the only place where it may be.
    static let definedOnce: [(mark: String, place: String, what: String)] = [
        ("0xcbf29ce484222325", "PathTelemetry/Hashing/StableHash.swift", "the hash FNV-1a"),
        ("000001b3", "PathTelemetry/Hashing/StableHash.swift", "the hash FNV-1a"),
        ("0x9e3779b185ebca87", "PathTelemetry/Hashing/XXHash64.swift", "the hash XXH64"),
        ("0xbf58476d1ce4e5b9", "PathTelemetry/Random/SplitMix64.swift", "SplitMix64"),
        ("0x9e3779b97f4a7c15", "PathTelemetry/Random/SplitMix64.swift", "SplitMix64"),
        ("0x1p-53", "PathTelemetry/Random/Deviates.swift", "uniform numbers"),
        ("(-2 * log(", "PathTelemetry/Random/Deviates.swift", "normal numbers"),
        ("pthread_create", "PathTelemetry/WorkerThread.swift", "the start of a thread"),
        ("(repeating: \"0\"", "PathTelemetry/Text/NumberText.swift", "fixed decimals"),
        ("\"k\", \"M\"", "PathTelemetry/Text/NumberText.swift", "decimal prefixes"),
        ("hasSuffix(\".0\")", "PathTelemetry/Text/NumberText.swift", "exact numbers"),
        ("isNumber || $0 == \".\")", "PathTelemetry/Text/ArgumentText.swift", "quantities"),
        ("\"kbit\"", "PathTelemetry/Text/ArgumentText.swift", "units of rates"),
        ("\"kib\"", "PathTelemetry/Text/ArgumentText.swift", "units of sizes"),
        ("\"min\"", "PathTelemetry/Text/ArgumentText.swift", "units of times"),
    ]
}
