import Testing

@testable import PathLearning
@testable import PathTelemetry

@Suite struct SpecificationTests {
    @Test func everyNameOfTheCatalogueParsesAndPrintsBack() throws {
        var names: Set<String> = []
        for policy in PolicySpecification.catalogue {
            let specification = try PolicySpecification(parsing: policy.name)
            #expect(specification.name == policy.name)
            #expect(!policy.summary.isEmpty && policy.summary.count <= 76)
            #expect(names.insert(policy.name).inserted)
            #expect(try PolicySpecification(parsing: specification.description) == specification)
            if policy.name != "single" { #expect(specification.description == policy.name) }
        }
    }

    /// Parameters are printed in the policy's order, without defaults.
    @Test(arguments: [
        ("single:lte", "single:lte"), ("single:3", "single:3"), ("single", "single:0"),
        ("weighted:by=fixed", "weighted"),
        ("weighted:latency=2,by=telemetry", "weighted:by=telemetry,latency=2"),
        ("lin-ucb:half-life=inf,alpha=0.50", "lin-ucb:alpha=0.5,half-life=inf"),
        ("lin-ucb:features=16,alpha=0.2", "lin-ucb:features=16"),
        ("lin-ucb:features=24", "lin-ucb"),
        ("learned:epsilon=0.01", "learned"),
        ("epsilon-greedy:epsilon=0.1", "epsilon-greedy:epsilon=0.1"),
        ("softmax:temperature=1e-1", "softmax:temperature=0.1"),
        ("squarecb:gamma=20,half-life=5", "squarecb:gamma=20,half-life=5"),
        ("sliding-lin-ucb:window=3,alpha=0.5", "sliding-lin-ucb:alpha=0.5,window=3"),
        ("discounted-lin-ucb:change=inf", "discounted-lin-ucb:change=inf"),
        ("reinject:least=0.05", "reinject:least=0.05"), ("ecf:beta=0.5", "ecf:beta=0.5"),
        ("blest:window=200000", "blest:window=200000"), ("backup:hold=3", "backup:hold=3"),
        ("exp3:rate=2,epsilon=0.1", "exp3:rate=2,epsilon=0.1"),
        ("exp4:half-life=inf", "exp4:half-life=inf"),
        ("ols:packets=10", "ols:packets=10"), ("peekaboo:send=0.8", "peekaboo:send=0.8"),
        ("prune:confidence=3", "prune:confidence=3"), ("falcon:memory=5", "falcon:memory=5"),
    ])
    func canonicalText(text: String, canonical: String) throws {
        let specification = try PolicySpecification(parsing: text)
        #expect(specification.description == canonical)
        #expect(try PolicySpecification(parsing: canonical) == specification)
    }

    @Test func parameters() throws {
        let settings = try LinUCBSettings().reading(
            "alpha=0.5,half-life=inf,epsilon=0", policy: "lin-ucb")
        #expect(settings.alpha == 0.5 && settings.halfLife == .infinity && settings.epsilon == 0)
        #expect(settings.lambda == LinUCBSettings().lambda)
    }

    @Test func pathsByNameAreResolved() throws {
        let named = try PolicySpecification(parsing: "single:lte")
        #expect(named == .single(.name("lte")))
        #expect(try named.resolved(names: ["dsl", "lte"]) == .single(.number(PathID(1))))
        #expect(throws: LearningError.unknownPath(name: "lte", known: ["dsl"])) {
            try named.resolved(names: ["dsl"])
        }
        #expect(throws: LearningError.self) { try PathSelector(named, seed: 1) }
        #expect(try PolicySpecification(parsing: "single") == .single(.number(PathID(0))))
        #expect(throws: LearningError.self) { try PolicySpecification(parsing: "single:16") }
    }

    @Test(arguments: [
        ("minrtt", "there is no policy \"minrtt\": did you mean \"min-rtt\"?"),
        ("steddy", "there is no policy \"steddy\": did you mean \"steady\"?"),
        ("steady:x=1", "policy steady has no parameter \"x\": it takes none"),
        (
            "lin-ucb:beta=1",
            "policy lin-ucb has no parameter \"beta\": it takes alpha, lambda, epsilon, "
                + "half-life, ratio, slack, features"
        ),
        (
            "lin-ucb:features=17",
            "policy lin-ucb: features=17 is not usable: give 16 or 24"
        ),
        (
            "lin-ucb:alpha=x",
            "policy lin-ucb: alpha=x is not usable: give a number from 0 to 1000"
        ),
        (
            "lin-ucb:half-life=0",
            "policy lin-ucb: half-life=0 is not usable: give seconds above 0, or inf"
        ),
        (
            "lin-ucb:epsilon=nan",
            "policy lin-ucb: epsilon=nan is not usable: give a number from 0 to 1"
        ),
        (
            "weighted:by=luck",
            "policy weighted: by=luck is not usable: give fixed or telemetry or learned"
        ),
        ("ecf:beta", "policy ecf: beta= is not usable: give a number from 0 to 10"),
    ])
    func refusalsSayHowToMend(text: String, message: String) {
        do {
            _ = try PolicySpecification(parsing: text)
            Issue.record("\(text) was accepted")
        } catch {
            #expect(error.description == message)
        }
    }

    @Test func anUnknownNameIsAnsweredWithAllPolicies() {
        do {
            _ = try PolicySpecification(parsing: "zzzzzzzz")
            Issue.record("accepted")
        } catch {
            for policy in PolicySpecification.catalogue {
                #expect(error.description.contains(policy.name))
            }
        }
    }

    /// Random text never traps and is never partly accepted.
    @Test func anyTextIsReadOrRefused() {
        var random = SeededGenerator(seed: 5)
        let names = PolicySpecification.catalogue.map(\.name)
        let pieces = [
            ":", ",", "=", "alpha", "epsilon", "inf", "nan", "-1", "1e400", "0", "half-life", "by",
            "window", "é", " ",
        ]
        for _ in 0..<5000 {
            var text = names[Int(random.next() % UInt64(names.count))]
            for _ in 0..<(random.next() % 8) {
                text += pieces[Int(random.next() % UInt64(pieces.count))]
            }
            guard let specification = try? PolicySpecification(parsing: text) else { continue }
            let again = try? PolicySpecification(parsing: specification.description)
            #expect(again == specification, "\(text)")
        }
    }
}
