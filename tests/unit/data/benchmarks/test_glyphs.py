import unicodedata

from protoclip_cli.data.benchmarks import open_benchmark


def characters(part):
    return [chr(part.images.code_point(int(row))) for row in part.rows]


def faces(part):
    return {part.images.face(int(row)) for row in part.rows}


def test_lower_case_letters_carry_their_class():
    benchmark = open_benchmark("glyphs_lower")
    assert "".join(characters(benchmark.test)) == 3 * "abcdefghijklmnopqrstuvwxyz"
    assert [benchmark.classes[label] for label in benchmark.test.labels] == characters(benchmark.test)


def test_digits_and_capitals_too():
    digits, upper = open_benchmark("glyphs_digits"), open_benchmark("glyphs_upper")
    assert "".join(characters(digits.test)) == 3 * "0123456789"
    assert [benchmark_class.upper() for benchmark_class in upper.classes] == characters(upper.test)[:26]


def test_no_face_is_in_both_splits():
    benchmark = open_benchmark("glyphs_script")
    assert {face.split("-")[0] for face in faces(benchmark.test)} == {"DejaVuSerif"}
    assert len(faces(benchmark.train)) == 8
    assert not faces(benchmark.test) & faces(benchmark.train)


def test_script_is_the_first_word_of_the_name():
    benchmark = open_benchmark("glyphs_script")
    for row, label in list(zip(benchmark.train.rows, benchmark.train.labels, strict=True))[::500]:
        assert benchmark.train.images.name(int(row)).split()[0] == benchmark.classes[label]


def test_category_is_that_of_unicode_in_words():
    benchmark = open_benchmark("glyphs_category")
    found = {
        unicodedata.category(c): benchmark.classes[label]
        for c, label in zip(characters(benchmark.test), benchmark.test.labels, strict=True)
    }
    assert (found["Lu"], found["Sm"], found["Nd"]) == (
        "uppercase letter",
        "mathematical symbol",
        "decimal number",
    )
    assert len(found) == 19


def test_names_are_the_captions_of_one_face():
    pairs = open_benchmark("glyphs_names").pairs
    assert faces(pairs) == {"DejaVuSerif"}
    place = list(pairs.texts).index("greek small letter alpha, serif")
    row = int(pairs.rows[pairs.image_of_text[place]])
    assert chr(pairs.images.code_point(row)) == "\N{GREEK SMALL LETTER ALPHA}"
