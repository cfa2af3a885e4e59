/// One impairment of a link: its names in options and help, its values, and its effect on packets.
///
/// A fault has a file and a line in `LinkFaults`; option strings, scenario files, `pathwise
/// emulate` and its help, `Link`, `World` and the emulator find it there. It implements only what
/// it needs: everything but `init` and `options` has a default that does not change packets. Times
/// are nanoseconds after the link's origin.
///
/// Its draws must not change those of other faults: loss and delay share the given stream, as in
/// the testbed's emulator, and any other fault branches its own stream in `start`. A fault that is
/// off draws nothing.
protocol LinkFault: Sendable, Hashable {
    /// The fault switched off.
    init()

    /// The options that set it, at least one.
    static var options: [FaultOption<Self>] { get }

    /// Called once before the first packet, with the stream of the link's direction.
    mutating func start(_ random: LinkRandom)

    /// Takes other settings than those that it was started with; a fault whose settings stay, goes on
    /// as if nothing had changed.
    mutating func change(from before: Self, to next: Self, _ random: LinkRandom)

    /// Called before the draws of a packet that meets the faults at that time; times do not
    /// decrease. What changes by time changes here.
    mutating func advance(to time: Int64)

    /// Replaces the fault's own stream, where packets are drawn by time and not in their order.
    mutating func draw(from random: LinkRandom)

    /// Whether nothing enters or leaves the bottleneck at that time.
    func isDown(at time: Int64) -> Bool

    /// Whether the next packet is lost after the bottleneck.
    mutating func loses(_ random: inout LinkRandom) -> Bool

    /// The delay of the next packet, milliseconds, from its delay without this fault.
    mutating func delay(_ milliseconds: Double, _ random: inout LinkRandom) -> Double

    /// Whether packets may be reordered.
    var reorders: Bool { get }

    /// Whether the next packet arrives twice.
    mutating func copies(_ random: inout LinkRandom) -> Bool

    /// Whether the next delivery arrives damaged.
    mutating func damages() -> Bool

    /// The damage of a delivery by its number; nil for a fault that damages none.
    func damage(of delivery: UInt64) -> Damage?

    /// The fault of a type: this one or one of its parts; switched off if it has none of that type.
    subscript<Fault: LinkFault>(_ type: Fault.Type) -> Fault { get set }
    /// Whether the subscript has that type.
    static func holds<Fault: LinkFault>(_ type: Fault.Type) -> Bool
}

extension LinkFault {
    mutating func start(_ random: LinkRandom) {}
    mutating func change(from before: Self, to next: Self, _ random: LinkRandom) {
        guard next != before else { return }
        self = next
        start(random)
    }
    mutating func advance(to time: Int64) {}
    mutating func draw(from random: LinkRandom) {}
    func isDown(at time: Int64) -> Bool { false }
    mutating func loses(_ random: inout LinkRandom) -> Bool { false }
    mutating func delay(_ milliseconds: Double, _ random: inout LinkRandom) -> Double {
        milliseconds
    }
    var reorders: Bool { false }
    mutating func copies(_ random: inout LinkRandom) -> Bool { false }
    mutating func damages() -> Bool { false }
    func damage(of delivery: UInt64) -> Damage? { nil }

    subscript<Fault: LinkFault>(_ type: Fault.Type) -> Fault {
        get { self as? Fault ?? Fault() }
        set { if let fault = newValue as? Self { self = fault } }
    }
    static func holds<Fault: LinkFault>(_ type: Fault.Type) -> Bool { type == Self.self }

    /// This fault and another one, which acts on packets after it.
    typealias Then<Next: LinkFault> = FaultPair<Self, Next>
}

/// One `KEY=VALUE` that sets a fault.
struct FaultOption<Fault>: Sendable {
    /// Its form in help texts, as `loss=P`; the key is the part before the `=`.
    let form: String
    /// What it does, in one line.
    let help: String
    /// Parses a value; the result sets it in a fault.
    let parse: @Sendable (OptionText) throws(SimulationError) -> Setter

    typealias Setter = @Sendable (inout Fault) throws(SimulationError) -> Void

    init(
        _ form: String, _ help: String,
        parse: @escaping @Sendable (OptionText) throws(SimulationError) -> Setter
    ) {
        self.form = form
        self.help = help
        self.parse = parse
    }

    /// The same option of a value that contains the fault.
    ///
    /// - Parameter part: calls its argument with the contained fault.
    func lifted<Whole>(
        _ part: @escaping @Sendable (inout Whole, Setter) throws(SimulationError) -> Void
    ) -> FaultOption<Whole> {
        let parse = parse
        return FaultOption<Whole>(form, help) { (text) throws(SimulationError) in
            let set = try parse(text)
            return { (whole) throws(SimulationError) in try part(&whole, set) }
        }
    }
}

/// Two faults in the order in which they act on packets.
///
/// They are stored side by side, so that a link's whole list of faults is one type without an
/// array, an existential or a call that cannot be inlined.
struct FaultPair<First: LinkFault, Next: LinkFault>: LinkFault {
    private var first = First()
    private var next = Next()

    init() {}

    static var options: [FaultOption<FaultPair>] {
        First.options.map { option in
            option.lifted { (pair, set) throws(SimulationError) in try set(&pair.first) }
        }
            + Next.options.map { option in
                option.lifted { (pair, set) throws(SimulationError) in try set(&pair.next) }
            }
    }

    mutating func start(_ random: LinkRandom) {
        first.start(random)
        next.start(random)
    }

    mutating func change(from before: FaultPair, to other: FaultPair, _ random: LinkRandom) {
        first.change(from: before.first, to: other.first, random)
        next.change(from: before.next, to: other.next, random)
    }

    mutating func advance(to time: Int64) {
        first.advance(to: time)
        next.advance(to: time)
    }

    mutating func draw(from random: LinkRandom) {
        first.draw(from: random)
        next.draw(from: random)
    }

    func isDown(at time: Int64) -> Bool { first.isDown(at: time) || next.isDown(at: time) }

    /// Every fault takes its step regardless of the others, so that its draws do not depend on
    /// them.
    mutating func loses(_ random: inout LinkRandom) -> Bool {
        let isLost = first.loses(&random)
        return next.loses(&random) || isLost
    }

    mutating func delay(_ milliseconds: Double, _ random: inout LinkRandom) -> Double {
        let before = first.delay(milliseconds, &random)
        return next.delay(before, &random)
    }

    var reorders: Bool { first.reorders || next.reorders }

    mutating func copies(_ random: inout LinkRandom) -> Bool {
        let isCopied = first.copies(&random)
        return next.copies(&random) || isCopied
    }

    mutating func damages() -> Bool {
        let isDamaged = first.damages()
        return next.damages() || isDamaged
    }

    func damage(of delivery: UInt64) -> Damage? {
        first.damage(of: delivery) ?? next.damage(of: delivery)
    }

    subscript<Fault: LinkFault>(_ type: Fault.Type) -> Fault {
        get { First.holds(type) ? first[type] : next[type] }
        set {
            if First.holds(type) { first[type] = newValue } else { next[type] = newValue }
        }
    }

    static func holds<Fault: LinkFault>(_ type: Fault.Type) -> Bool {
        First.holds(type) || Next.holds(type)
    }
}
