import Testing

/// Tests the sources against the rules of docs/architecture.md and CONTRIBUTING.md.
struct ArchitectureTests {
    private let tree = SourceTree()
    /// Read once for all tests.
    private static let allSources = Result {
        try SourceTree().files("Sources", endings: ["swift"])
    }

    private func sources() throws -> [SourceTree.File] { try Self.allSources.get() }

    private func expectNone(_ violations: [Rules.Violation]) {
        for violation in violations { Issue.record("\(violation)") }
    }

    @Test func sourcesAreFound() throws {
        let rooms = Set(try sources().compactMap(\.room))
        #expect(rooms.isSuperset(of: House.packetPath))
    }

    @Test func dependenciesPointDown() throws {
        let targets = Manifest(try tree.text("Package.swift")).targets
        #expect(targets.count > House.order.count)
        for problem in Rules.upwardArrows(targets, order: House.order) {
            Issue.record("\(problem)")
        }
    }

    @Test func everyRoomHasAPlace() throws {
        let declared = Set(
            Manifest(try tree.text("Package.swift")).targets.filter { $0.kind != .testTarget }
                .map(\.name))
        #expect(declared == Set(House.order))
    }

    @Test func roomsImportOnlyWhatPackageSwiftSays() throws {
        let manifest = Manifest(try tree.text("Package.swift"))
        for file in try sources() {
            let room = try #require(file.room)
            let target = try #require(manifest.target(room), "\(file.path) is in no target")
            var allowed = House.systemModules.union(target.dependencies)
            if !House.packetPath.contains(room) { allowed.formUnion(["Foundation", "Dispatch"]) }
            expectNone(
                Rules.strangeImports(file.text, file: file.path, allowed: allowed))
        }
    }

    @Test func nothingTrapsOnDemand() throws {
        for file in try sources() {
            expectNone(Rules.traps(file.text, file: file.path))
        }
    }

    @Test func packetPathHasNoExistentials() throws {
        for file in try sources() where House.packetPath.contains(file.room ?? "") {
            expectNone(Rules.existentials(file.text, file: file.path))
        }
    }

    @Test func packetPathHasNoClassesButThoseNamed() throws {
        var seen: Set<String> = []
        for file in try sources() where House.packetPath.contains(file.room ?? "") {
            for (name, at) in Rules.classes(file.text, file: file.path) {
                seen.insert(name)
                if House.classes[name] == nil { expectNone([at]) }
            }
        }
        #expect(Set(House.classes.keys).subtracting(seen).isEmpty, "named, but not there any more")
    }

    /// Challenges, indexes, cookies and keys cannot be guessed: where they are made, nothing draws
    /// from a seed except the listed files, each with its reason.
    @Test func secretsComeFromTheSystem() throws {
        var seen: Set<String> = []
        for file in try sources() where House.secretRooms.contains(file.room ?? "") {
            let draws = Rules.guessableDraws(file.text, file: file.path)
            if draws.isEmpty { continue }
            seen.insert(file.path)
            if House.seededDraws[file.path] == nil { expectNone(draws) }
        }
        #expect(seen == Set(House.seededDraws.keys), "named, but not there any more")
    }

    @Test(arguments: ["Sources", "Tests", "Benchmarks", "Examples"])
    func filesAreShort(folder: String) throws {
        for file in try tree.files(folder, endings: ["swift", "c", "h"]) {
            expectNone(Rules.length(file.source, file: file.path, limit: House.longestFile))
        }
    }

    /// The connection only calls its parts in order; what grows is moved to one of them.
    @Test func connectionStaysSmall() throws {
        let files = try tree.files("Sources/PathTransport/Connection", endings: ["swift"])
            .filter { $0.path.hasSuffix("/Connection.swift") || $0.path.contains("/Connection+") }
        let lines = files.reduce(0) {
            $0 + $1.source.split(separator: "\n", omittingEmptySubsequences: false).count - 1
        }
        #expect(files.count >= 8)
        #expect(lines <= House.longestConnection, "\(lines) lines")
    }

    @Test func nothingLongStandsTwice() throws {
        let files = try tree.files("Sources", endings: ["swift", "c", "h"])
            .map { (path: $0.path, source: $0.source) }
        expectNone(Repetition.runs(of: House.longestRepetition, in: files))
    }

    @Test func foldersAreNeitherFullNorLonely() throws {
        let files = try tree.files("Sources", endings: ["swift", "c", "h", "modulemap"])
        let problems = Repetition.folders(
            files.map(\.path), most: House.fullFolder, alone: Set(House.smallFolders.keys))
        for problem in problems { Issue.record("\(problem)") }
    }

    @Test func oneDefinitionEach() throws {
        let files = try tree.files("Sources", endings: ["swift", "c", "h"])
            .map { (path: $0.path, plain: Repetition.plain($0.source)) }
        for entry in House.definedOnce {
            let places = Repetition.places(of: entry.mark, in: files)
            #expect(places == ["Sources/\(entry.place)"], "\(entry.what): \(entry.mark)")
        }
    }

    @Test func textSpeaksOfTheProjectAlone() throws {
        var files: [SourceTree.File] = []
        for folder in [
            "Sources", "Tests", "Benchmarks", "Examples", "docs", "models", "datasets",
            "notebooks-exported",
        ] {
            files += try tree.files(folder, endings: ["swift", "c", "h", "md", "toml", "sh"])
        }
        for name in ["Package.swift", "Makefile", ".ci/run", "README.md", "CONTRIBUTING.md"] {
            let source = try tree.text(name)
            files.append(SourceTree.File(path: name, source: source, text: SwiftText("")))
        }
        #expect(files.count > 200)
        for file in files { expectNone(Rules.strayWords(file.source, file: file.path)) }
    }

    @Test func publicDeclarationsAreDocumented() throws {
        for file in try sources() {
            expectNone(
                Rules.undocumented(
                    file.text, file: file.path, witnesses: House.witnesses))
        }
    }

    /// Public declarations are used by another room, or the list says for whom they are.
    @Test func publicDeclarationsHaveUsers() throws {
        var files = try sources().compactMap { file in
            file.room.map { (room: $0, path: file.path, source: file.source) }
        }
        // The examples are users of the library, as any program.
        files += try tree.files("Examples", endings: ["swift"]).map {
            (room: "Examples", path: $0.path, source: $0.source)
        }
        let unreached = PublicNames(files).unreached(witnesses: House.namedByOthers)
        let names = Set(unreached.map { "\($0.room).\($0.name)" })
        for declaration in unreached
        where House.unreached["\(declaration.room).\(declaration.name)"] == nil {
            Issue.record("\(declaration.at)")
        }
        for entry in House.unreached.keys where !names.contains(entry) {
            Issue.record("\(entry) is listed as without a user, but has one")
        }
    }
}
