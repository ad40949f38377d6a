"""What a rank settles before it computes."""

import pytest

from trainer.runtime import gains_by_bfloat16

_CPUINFO = """\
processor\t: 0
vendor_id\t: {vendor}
flags\t\t: fpu vme avx512f {flags}
"""


@pytest.mark.parametrize(
    ("vendor", "flags", "gains"),
    [
        ("AuthenticAMD", "avx512_bf16", True),
        ("GenuineIntel", "avx512_bf16 amx_bf16 amx_tile", True),
        ("GenuineIntel", "avx512_bf16", False),
        ("AuthenticAMD", "", False),
    ],
)
def test_a_processor_computes_in_bfloat16_only_where_it_is_faster_in_it(vendor: str, flags: str, gains: bool) -> None:
    assert gains_by_bfloat16(_CPUINFO.format(vendor=vendor, flags=flags)) is gains
