import Testing

@testable import PathTransport

@Suite struct FirstFlightTests {
    private static let whole = 38_400

    /// Single packets, as a handshake and an idle path have them, are no flight.
    @Test func singlePacketsAreNoFlight() {
        var flight = FirstFlight()
        for number: UInt64 in 0..<200 {
            flight.handleSent(number, bytes: 1_200, bytesInFlight: 0, whole: FirstFlightTests.whole)
            let begins = flight.begins(with: number)
            #expect(!begins)
        }
    }

    /// The flight begins with the packet that found nothing in flight, and it does so once.
    @Test func itBeginsWithTheFirstOfManyPackets() {
        var flight = FirstFlight()
        for number: UInt64 in 0..<5 {
            flight.handleSent(number, bytes: 60, bytesInFlight: 0, whole: FirstFlightTests.whole)
        }
        for place in 0..<16 {
            flight.handleSent(
                UInt64(5 + place), bytes: 1_200, bytesInFlight: 1_200 * place,
                whole: FirstFlightTests.whole)
        }
        let answers = [4, 5, 6, 20].map { flight.begins(with: UInt64($0)) }
        #expect(answers == [false, true, false, false])
    }
}
