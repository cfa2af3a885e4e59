import Testing

@testable import Pathwise

/// Names of items, as bytes that may come from anybody.
struct NameTests {
    @Test(arguments: ["", "/", "/etc/passwd", "a//b", "a/", "./a", "a/..", "..", "a/./b", "a\0b"])
    func namesThatLeadElsewhereHaveNoComponents(name: String) {
        #expect(ItemName(bytes: Array(name.utf8)).components == nil)
    }

    @Test func namesAreBytes() {
        let name = ItemName(bytes: Array("d/caf".utf8) + [0xe9])
        #expect(name.components?.count == 2)
        #expect(name.text == nil)
        #expect("\(name)" == "d/caf\\xe9")
        let long = [UInt8](repeating: 0x6e, count: 255)
        #expect(ItemName(bytes: long).components == [long])
        #expect(ItemName(bytes: long + [0x6e]).components == nil)
    }

    @Test func numbersFitIntoTheLongestName() {
        #expect(Committer.numbered(Array("film.mkv".utf8), 2) == Array("film.mkv.2".utf8))
        // Two bytes per character: none is split.
        let long = Array(String(repeating: "é", count: 127).utf8) + [0x61]
        let numbered = Committer.numbered(long, 12)
        #expect(numbered.count <= 255)
        #expect(String(validating: numbered, as: UTF8.self)?.hasSuffix("é.12") == true)
    }
}
