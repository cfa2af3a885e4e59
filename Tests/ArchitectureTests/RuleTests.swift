import Testing

/// Tests that each rule finds its violations and nothing else.
struct RuleTests {
    private func text(_ source: String) -> SwiftText { SwiftText(source) }

    @Test func blankingKeepsCodeAlone() {
        let source = #"""
            let a = "try! \(f("as!")) x" // any
            /* class A /* nested */ class B */ let b = 1
            let c = #"raw "any" \(x) "# + d
            """#
        let code = SwiftText(source).code
        #expect(code.count == 3)
        #expect(!code.joined().contains("try!") && !code.joined().contains("as!"))
        #expect(!code.joined().contains("any") && !code.joined().contains("class"))
        #expect(code[0].hasPrefix("let a = \"") && code[1].hasSuffix("let b = 1"))
        #expect(code[2].hasSuffix("+ d"))
        #expect(zip(code, SwiftText(source).lines).allSatisfy { $0.count == $1.count })
    }

    @Test func blankingOfLongStrings() {
        let quotes = "\"\"\""
        let code = SwiftText("let a = \(quotes)\n  say \"try!\"\n  \(quotes)\nlet b = 2").code
        #expect(code[1].allSatisfy { $0 == " " })
        #expect(code[3] == "let b = 2")
    }

    @Test func importsOfAllForms() {
        let source = """
            import Glibc
            public import PathTelemetry
            @preconcurrency internal import struct PathLearning.Decision
            // import Nothing
            let important = 1
            """
        let found = Rules.imports(text(source))
        #expect(found.map(\.module) == ["Glibc", "PathTelemetry", "PathLearning"])
        #expect(found.map(\.line) == [1, 2, 3])
        let strange = Rules.strangeImports(
            text(source), file: "f", allowed: ["Glibc", "PathTelemetry"])
        #expect(strange.map(\.line) == [3])
    }

    @Test func arrowsThatPointUp() {
        let manifest = Manifest(
            """
            let parser: Target.Dependency = .product(
                name: "ArgumentParser", package: "parser")
            let other: Target.Dependency = .product(name: "Other", package: "other")
            let package = Package(targets: [
                .systemLibrary(name: "C", pkgConfig: "c"),
                .target(name: "Low", dependencies: ["C", "High"]),
                .target(
                    name: "High",
                    dependencies: [
                        "Low", parser, other,
                    ]),
                .target(name: "Lost"),
                .testTarget(name: "LowTests", dependencies: ["Low", "High"]),
            ])
            """)
        #expect(manifest.targets.map(\.name) == ["C", "Low", "High", "Lost", "LowTests"])
        #expect(manifest.target("High")?.dependencies == ["Low", "ArgumentParser", "Other"])
        let problems = Rules.upwardArrows(manifest.targets, order: ["C", "Low", "High"])
        #expect(problems.count == 2)
        #expect(problems.contains("Low points up to High"))
        #expect(problems.contains { $0.hasPrefix("Lost ") })
    }

    @Test func trapsAreFound() {
        let source = """
            let a = try! f()
            let b = c as! Int
            fatalError("no")
            let d = try f() as? Int // try! as!
            myfatalError(1)
            """
        #expect(Set(Rules.traps(text(source), file: "f").map(\.line)) == [1, 2, 3])
    }

    @Test func existentialsAreFound() {
        let source = """
            let a: any Policy
            let b: [any P] = []
            let company = anyone.any
            static func any(port: UInt16) -> Address
            """
        #expect(Rules.existentials(text(source), file: "f").map(\.line) == [1, 2])
    }

    @Test func classesAreFound() {
        let source = """
            public final class A<T> {
            struct B { class func f() {} }
            @unchecked private class C: D {
                class var x: Int { 1 }
            actor E {}
            protocol F: AnyObject {}
            """
        #expect(Rules.classes(text(source), file: "f").map(\.name) == ["A", "C", "E"])
    }

    @Test func guessableDrawsAreFound() {
        let source = """
            var generator = SeededGenerator(seed: 1)
            let token = try Crypto.randomNumber(UInt64.self) // SeededGenerator
            let other = rand()
            var split: SeededGenerator
            """
        #expect(Rules.guessableDraws(text(source), file: "f").map(\.line).sorted() == [1, 3, 4])
    }

    @Test func lengthCountsLines() {
        #expect(Rules.length("a\nb\n", file: "f", limit: 2).isEmpty)
        #expect(Rules.length("a\nb\nc", file: "f", limit: 2).first?.line == 3)
    }

    @Test func repetitionsAreFound() {
        let one = "import A\nlet a = 1\n\nlet   b = 2\n}\nlet c = 3\nlet d = 4"
        let other = "let x = 0\nlet a = 1\n    {\nlet b = 2\n#include <c>\nlet c = 3\nlet e = 5"
        let found = Repetition.runs(of: 3, in: [("one", one), ("other", other)])
        #expect(found.map(\.file) == ["other"] && found.map(\.line) == [2])
        #expect(Repetition.runs(of: 4, in: [("one", one), ("other", other)]).isEmpty)
        let twice = Repetition.runs(of: 4, in: [("one", one + "\n// -\n" + one)])
        #expect(twice.map(\.line) == [10])
        // Consecutive equal lines are one run, not many overlapping ones.
        let same = [String](repeating: "x", count: 5).joined(separator: "\n")
        #expect(Repetition.runs(of: 3, in: [("same", same)]).isEmpty)
    }

    @Test func fullAndLonelyFoldersAreFound() {
        let paths = [
            "S/Room/a", "S/Room/Part/b", "S/Room/Full/1", "S/Room/Full/2", "S/Room/Full/3",
            "S/C/c", "S/C/include/h",
        ]
        let found = Repetition.folders(paths, most: 2, alone: ["include"])
        #expect(found.count == 2)
        #expect(found[0].hasPrefix("S/Room/Full holds 3"))
        #expect(found[1].hasPrefix("S/Room/Part holds one"))
    }

    @Test func secondDefinitionsAreFound() {
        let files = [("a", "let m = 0xBF58_476D"), ("b", "let n = 0xbf58476d"), ("c", "0xbf58")]
            .map { (path: $0.0, plain: Repetition.plain($0.1)) }
        #expect(Repetition.places(of: "0xbf58476d", in: files) == ["a", "b"])
    }

    @Test func strayWordsAreFound() {
        let folder = "/" + "root/"
        let source = """
            see \(folder)x
            network\(folder)y is part of a path
            // TO\("")DO: later
            a method, and forever
            """
        #expect(Rules.strayWords(source, file: "f").map(\.line) == [1, 3])
    }

    @Test func missingDocumentationIsFound() {
        let source = """
            /// Good.
            @inlinable
            public struct A {
                public var x: Int
                public init() {}
                public func f() {}
                /// Good.
                public mutating func g() {}
                public static func < (a: A, b: A) -> Bool { true }
                public func learn() {}
                func h() {}
                public subscript(i: Int) -> Int { 0 }
            }
            public enum B {}
            """
        let found = Rules.undocumented(text(source), file: "f", witnesses: ["learn"])
        #expect(found.map(\.line) == [6, 12, 14])
    }

    /// A name is reached from another room, from within a string, or from a public signature.
    @Test func publicNamesWithoutUsersAreFound() {
        let low = #"""
            public struct Used {
                public var shown: Int
                public var lonely: Int
                public func run(_ kind: Kind) throws(Failure) -> Result {}
                public static func == (a: Used, b: Used) -> Bool { true }
            }
            public enum Kind {
                case one(Payload)
            }
            public struct Payload {}
            public struct Failure {}
            public struct Result {}
            public struct Alone: Shape {}
            public protocol Shape {
                var area: Size { get }
            }
            public struct Size {}
            public func round(
                _ shape: Alone
            ) -> Hidden { Hidden() }
            public struct Hidden {}
            public struct Dead { public class func area() {} }
            """#
        let high = #"""
            // lonely and Dead stand in a comment, "Dead" in a string.
            let text = "lonely \(Used().shown) Dead"
            """#
        let names = PublicNames([("Low", "l", low), ("High", "h", high)])
        let found = names.unreached(witnesses: ["run"])
        #expect(found.map(\.name) == ["lonely", "round", "Dead"])
        #expect(found.map(\.at.line) == [3, 18, 22])
        #expect(Set(found.map(\.room)) == ["Low"])
    }
}
