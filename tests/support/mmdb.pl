#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Writes small MaxMind DB files into FOLDER: places and systems in the layout of GeoIP2, places in the
# flat one, once for IPv4 alone; what is in them is made up. Usage: mmdb.pl FOLDER
use strict;
use warnings;
use MaxMind::DB::Writer::Tree;

my ($folder) = @ARGV;
my %types = (
    city => 'map', country => 'map', location => 'map', names => 'map', subdivisions => [ 'array', 'map' ],
    iso_code => 'utf8_string', en => 'utf8_string', de => 'utf8_string',
    latitude => 'double', longitude => 'double',
    autonomous_system_number => 'uint32', autonomous_system_organization => 'utf8_string',
    country_code => 'utf8_string', state1 => 'utf8_string', city_flat => 'utf8_string',
);

sub write_file {
    my ($name, $type, $ip_version, $map, %records) = @_;
    my $tree = MaxMind::DB::Writer::Tree->new(
        ip_version => $ip_version, record_size => 24, database_type => $type, languages => ['en'],
        description => { en => "Made up for tests: $name" }, remove_reserved_networks => 0,
        map_key_type_callback => sub { $map->{ $_[0] } // $types{ $_[0] } },
    );
    $tree->insert_network($_, $records{$_}) for sort keys %records;
    open my $out, '>:raw', "$folder/$name.mmdb" or die "$folder/$name.mmdb: $!";
    $tree->write_tree($out);
    close $out or die;
}

write_file('places', 'Test-City', 6, {},
    '203.0.113.0/24' => { country => { iso_code => 'DE' }, city => { names => { en => 'Nuremberg', de => "N\x{fc}rnberg" } },
        subdivisions => [ { names => { en => 'Bavaria' } } ], location => { latitude => 49.45, longitude => 11.08 } },
    '198.51.100.0/25' => { country => { iso_code => 'FR' } },
    '2001:db8:1::/48' => { country => { iso_code => 'SE' }, location => { latitude => 200, longitude => 18.06 } },
);
write_file('systems', 'Test-ASN', 6, {},
    '203.0.113.0/24' => { autonomous_system_number => 64500, autonomous_system_organization => "Example <b>Hosting</b>" },
    '2001:db8::/32' => { autonomous_system_number => 4200000000 },
);
write_file('flat', 'city ipv4', 4, { city => 'utf8_string', latitude => 'float', longitude => 'float' },
    '203.0.113.0/24' => { country_code => 'XX', city => 'Nowhere' },
    '192.0.2.0/24' => { country_code => 'US', state1 => 'California', city => 'Mountain View', latitude => 37.4, longitude => -122.1 },
);
my @world = (
    [ '203.0.113.0/26', 'DE', 'Nuremberg', 49.45, 11.08 ], [ '203.0.113.64/26', 'SG', 'Singapore', 1.35, 103.82 ],
    [ '203.0.113.128/26', 'BR', "S\x{e3}o Paulo", -23.55, -46.63 ], [ '192.0.2.0/25', 'US', 'Ashburn', 39.04, -77.49 ],
    [ '198.51.100.128/25', 'JP', 'Tokyo', 35.68, 139.69 ],
);
write_file('world', 'Test-City', 6, {}, map { $_->[0] => { country => { iso_code => $_->[1] }, city => { names => { en => $_->[2] } },
    location => { latitude => $_->[3], longitude => $_->[4] } } } @world);
