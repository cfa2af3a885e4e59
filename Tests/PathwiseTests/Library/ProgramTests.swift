import Testing

/// Tests that the program in the documents is the one that is built and run.
@Suite(.timeLimit(.minutes(1))) struct ProgramTests {
    private static func text(_ name: String) throws -> String {
        let folders = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(4)
        let path = folders.joined(separator: "/") + "/" + name
        return String(decoding: try #require(content(of: path), "\(path)"), as: UTF8.self)
    }

    @Test(arguments: ["README.md", "Sources/Pathwise/Pathwise.docc/GettingStarted.md"])
    func documentsShowTheExample(document: String) throws {
        let program = try ProgramTests.text("Examples/Sources/Messages/main.swift")
        #expect(try ProgramTests.text(document).contains("```swift\n\(program)```\n"))
    }

    /// Messages in both directions over two paths take no more than thirty lines and one import.
    @Test func theExampleIsShort() throws {
        let program = try ProgramTests.text("Examples/Sources/Messages/main.swift")
        let lines = program.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
        #expect(lines.count <= 30 && lines.allSatisfy { $0.count <= 100 })
        #expect(lines.filter { $0.hasPrefix("import ") } == ["import Pathwise"])
    }
}
